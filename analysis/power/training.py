"""Simulated cases for the claims about the training error.

Each claim is drawn under the truth that was measured, under no effect, and under an effect of
exactly the margin.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from analysis.claim import Verdict
from analysis.claim_names import DEGRADATION, FIX, NO_DEGRADATION
from analysis.claims import judge
from analysis.power.measured_values import NormalByDepth, NormalByFamily
from analysis.power.simulated_runs import draw_frame
from analysis.power.simulation import AS_OBSERVED, NO_EFFECT, Case, select_verdict


@dataclass(frozen=True)
class TrainingDraw:
    """One repetition: training errors are drawn, and a claim is judged on them."""

    claim: str
    networks: NormalByFamily
    margin: float

    def __call__(self, generator: np.random.Generator) -> Verdict:
        runs = draw_frame(self.networks, generator).runs
        return select_verdict(judge(runs, self.margin), self.claim)


def training_cases(measured: NormalByFamily, margin: float) -> Iterator[Case]:
    """Yield the cases for degradation, no degradation and the fix.

    If nothing degrades, a deep network has the spread of the shallowest of its family.

    Args:
        measured: training errors, in percent.
        margin: the claims' margin, in points.
    """
    flat = {family: _flat(depths) for family, depths in measured.items()}
    plain, residual = measured["plain"], measured["residual"]
    above_residual = {depth: normal.shifted(margin) for depth, normal in residual.items()}
    shallowest_above = residual[min(residual)].shifted(margin)
    deepest_above = residual | {max(residual): shallowest_above}
    truths: dict[str, dict[str, NormalByFamily]] = {
        DEGRADATION: {
            AS_OBSERVED: measured,
            NO_EFFECT: flat,
            f"evenly up to {margin:g} points at the deepest": measured
            | {"plain": _raise_evenly(plain, margin)},
        },
        NO_DEGRADATION: {
            AS_OBSERVED: measured,
            NO_EFFECT: flat,
            f"{margin:g} points above the shallowest at every depth": measured
            | {"residual": _above_shallowest(residual, margin)},
            f"{margin:g} points at the deepest, otherwise as observed": measured
            | {"residual": deepest_above},
        },
        FIX: {
            AS_OBSERVED: measured,
            NO_EFFECT: measured | {"plain": residual},
            f"{margin:g} points at every depth": measured | {"plain": above_residual},
        },
    }
    for claim, networks_by_truth in truths.items():
        for truth, networks in networks_by_truth.items():
            yield Case(claim, truth, TrainingDraw(claim, networks, margin))


def _flat(depths: NormalByDepth) -> NormalByDepth:
    """Return every depth with the errors of the shallowest."""
    return dict.fromkeys(depths, depths[min(depths)])


def _above_shallowest(depths: NormalByDepth, margin: float) -> NormalByDepth:
    """Return networks in which every deeper one is the margin above the shallowest."""
    shallowest = min(depths)
    above = dict.fromkeys(depths, depths[shallowest].shifted(margin))
    return above | {shallowest: depths[shallowest]}


def _raise_evenly(depths: NormalByDepth, margin: float) -> NormalByDepth:
    """Return networks whose error increases in equal steps, up to the margin at the deepest."""
    shallowest = depths[min(depths)]
    steps = len(depths) - 1
    return {
        depth: shallowest.shifted(margin * (index / steps))
        for index, depth in enumerate(sorted(depths))
    }
