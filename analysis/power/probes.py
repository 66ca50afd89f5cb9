"""Simulated cases for the claims about what probes measure.

A probe's table is drawn, and the mechanism that explains it judges its claims. If a claim needs
several bounds, the worst truth at the margin has one of them there and the others as measured.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from analysis.claim import Verdict
from analysis.claim_names import (
    REMOVING_A_BLOCK,
    SHATTERED_GRADIENTS,
    SHORT_PATHS,
    WEAKER_RESPONSES,
    WEAKER_RESPONSES_WITH_DEPTH,
    name_healthy_gradients,
)
from analysis.columns import UNTRAINED_WITHIN_POINTS
from analysis.mechanisms import gradient_flow, lesions, paths, responses, shattering
from analysis.power import measured_values
from analysis.power.measured_values import Normal, NormalByDepth, NormalByFamily
from analysis.power.simulated_runs import (
    CHANCE,
    LAST_ITERATION,
    SEEDS,
    add_probe,
    draw_frame,
    run_id,
)
from analysis.power.simulation import AS_OBSERVED, NO_EFFECT, Case, select_verdict
from analysis.probes import END, INITIALISATION, name_time_point

# Standard deviation over seeds of log10 of a span: the median over the networks of `quick`, which
# is in none of its tables.
LOG_SPAN_STD = 0.11
LOG_SPAN_HEALTHY = 1.0  # a span of a factor of 10
LOG_SPAN_LIMIT = math.log10(gradient_flow.MAX_SPAN)
# percent; networks above it are no better than chance
MAX_TRAINED_ERROR = CHANCE - UNTRAINED_WITHIN_POINTS

ProbeRow = dict[str, Any]
DrawRows = Callable[[np.random.Generator], list[ProbeRow]]  # draws the rows of a probe's table
Spans = dict[tuple[int, int], Normal]  # (depth, iteration): log10 of the gradient's span


@dataclass(frozen=True)
class ProbeDraw:
    """One repetition: runs and a probe's table are drawn, and a mechanism judges a claim on them.

    Attributes:
        mechanism: the module of analysis.mechanisms that explains the probe.
        probe: name of the probe.
        claim: name of the claim.
        errors: training errors, which decide whether a run is untrained.
        draw_rows: draws the rows of the probe's table.
        margin: the claim's margin, in points.
    """

    mechanism: ModuleType
    probe: str
    claim: str
    errors: NormalByFamily
    draw_rows: DrawRows
    margin: float

    def __call__(self, generator: np.random.Generator) -> Verdict:
        runs = draw_frame(self.errors, generator).runs
        frame = add_probe(runs, self.probe, self.draw_rows(generator))
        return select_verdict(self.mechanism.judge(frame, self.margin), self.claim)


def probe_cases(ledger: Path, margin: float) -> Iterator[Case]:
    """Yield the cases for all claims about probes.

    Args:
        ledger: folder of the tables of `quick`.
        margin: margin of the claim about lesions, in points of test error.
    """
    errors = measured_values.read_training_errors(ledger)

    def cases(
        mechanism: ModuleType, probe: str, claim: str, truths: Mapping[str, DrawRows]
    ) -> Iterator[Case]:
        for truth, draw_rows in truths.items():
            draw = ProbeDraw(mechanism, probe, claim, errors, draw_rows, margin)
            yield Case(claim, truth, draw)

    for family, spans in measured_values.read_log_spans(ledger, LOG_SPAN_STD).items():
        truths = _span_truths(family, spans)
        yield from cases(gradient_flow, "gradient_flow", name_healthy_gradients(family), truths)

    correlations = measured_values.read_correlations(ledger)
    truths = _correlation_truths(correlations)
    yield from cases(shattering, "shattering", SHATTERED_GRADIENTS, truths)

    excess_lengths = measured_values.read_excess_lengths(ledger)["residual"]
    yield from cases(paths, "paths", SHORT_PATHS, _length_truths(excess_lengths))

    stds = measured_values.read_responses(ledger)
    truths = _response_truths(stds)
    yield from cases(responses, "responses", WEAKER_RESPONSES, truths)
    truths = _response_trend_truths(stds)
    yield from cases(responses, "responses", WEAKER_RESPONSES_WITH_DEPTH, truths)

    increases = measured_values.read_error_increases(ledger)
    truths = _lesion_truths(errors, increases, margin)
    yield from cases(lesions, "lesions", REMOVING_A_BLOCK, truths)


# Truths of each claim


def _span_truths(family: str, measured: Spans) -> dict[str, DrawRows]:
    healthy = dict.fromkeys(measured, Normal(LOG_SPAN_HEALTHY, LOG_SPAN_STD))
    at_limit = Normal(LOG_SPAN_LIMIT, LOG_SPAN_STD)
    deepest = (max(depth for depth, _ in measured), 0)
    truths = {
        AS_OBSERVED: measured,
        "a factor of 10 at every depth and time point": healthy,
        "a factor of 100 at every depth and time point": dict.fromkeys(measured, at_limit),
        "a factor of 100 at one depth and time point, otherwise 10": healthy | {deepest: at_limit},
    }
    return {truth: _span_rows(family, spans) for truth, spans in truths.items()}


def _correlation_truths(measured: NormalByFamily) -> dict[str, DrawRows]:
    plain, residual = measured["plain"], measured["residual"]
    weakest = min(plain)  # the depth at which the families differ the least
    same = {family: dict.fromkeys(depths, plain[weakest]) for family, depths in measured.items()}
    equal = Normal(plain[weakest].mean, residual[weakest].std)
    truths: dict[str, NormalByFamily] = {
        AS_OBSERVED: measured,
        "no effect, which is the margin (0)": same,
        f"families alike at {weakest} layers, otherwise as observed": measured
        | {"residual": residual | {weakest: equal}},
    }
    return {truth: _rows_per_run(networks, _correlation_rows) for truth, networks in truths.items()}


def _length_truths(measured: NormalByDepth) -> dict[str, DrawRows]:
    weakest = min(measured)
    zero = {depth: Normal(0.0, normal.std) for depth, normal in measured.items()}
    truths: dict[str, NormalByDepth] = {
        AS_OBSERVED: measured,
        "no effect, which is the margin (0)": zero,
        f"0 at {weakest} layers, otherwise as observed": measured | {weakest: zero[weakest]},
    }
    return {truth: _length_rows(excess) for truth, excess in truths.items()}


def _response_truths(measured: NormalByFamily) -> dict[str, DrawRows]:
    plain, residual = measured["plain"], measured["residual"]
    weakest = min(plain)
    equal = {depth: Normal(plain[depth].mean, normal.std) for depth, normal in residual.items()}
    weaker = {depth: normal.shifted(-responses.MARGIN) for depth, normal in equal.items()}
    truths: dict[str, NormalByFamily] = {
        AS_OBSERVED: measured,
        NO_EFFECT: measured | {"residual": equal},
        f"alike at {weakest} layers, otherwise as observed": measured
        | {"residual": residual | {weakest: equal[weakest]}},
        f"a difference of {responses.MARGIN:g} at every depth": measured | {"residual": weaker},
    }
    return {truth: _rows_per_run(networks, _response_rows) for truth, networks in truths.items()}


def _response_trend_truths(measured: NormalByFamily) -> dict[str, DrawRows]:
    residual = measured["residual"]
    flat = dict.fromkeys(residual, residual[min(residual)])
    truths: dict[str, NormalByFamily] = {
        AS_OBSERVED: measured,
        NO_EFFECT: measured | {"residual": flat},
    }
    return {truth: _rows_per_run(networks, _response_rows) for truth, networks in truths.items()}


def _lesion_truths(
    errors: NormalByFamily, measured: NormalByFamily, margin: float
) -> dict[str, DrawRows]:
    plain, residual = measured["plain"], measured["residual"]
    deepest = max(depth for depth in plain if errors["plain"][depth].mean < MAX_TRAINED_ERROR)
    equal = {depth: Normal(residual[depth].mean, normal.std) for depth, normal in plain.items()}
    at_margin = {depth: normal.shifted(margin) for depth, normal in equal.items()}
    truths: dict[str, NormalByFamily] = {
        AS_OBSERVED: measured,
        NO_EFFECT: measured | {"plain": equal},
        f"{margin:g} points at every depth": measured | {"plain": at_margin},
        f"{margin:g} points at {deepest} layers, otherwise as observed": measured
        | {"plain": plain | {deepest: at_margin[deepest]}},
    }
    return {truth: _rows_per_run(networks, _lesion_rows) for truth, networks in truths.items()}


# Rows of each probe's table


def _rows_per_run(
    networks: NormalByFamily, build_rows: Callable[[float], list[ProbeRow]]
) -> DrawRows:
    """Return a function that draws one value per run, and the rows that have this value."""

    def draw(generator: np.random.Generator) -> list[ProbeRow]:
        rows = []
        for family, depths in networks.items():
            for depth, normal in depths.items():
                for seed, value in enumerate(normal.draw(generator, SEEDS)):
                    run = {"run_id": run_id(family, depth, seed)}
                    rows += [run | row for row in build_rows(float(value))]
        return rows

    return draw


def _span_rows(family: str, spans: Spans) -> DrawRows:
    """Return a function that draws two rows per run and iteration: the first block, and the end."""

    def draw(generator: np.random.Generator) -> list[ProbeRow]:
        rows = []
        for (depth, iteration), normal in spans.items():
            log_spans = np.maximum(normal.draw(generator, SEEDS), 0.0)
            for seed, log_span in enumerate(log_spans):
                row = {
                    "run_id": run_id(family, depth, seed),
                    "iteration": iteration,
                    "time_point": name_time_point(iteration, LAST_ITERATION),
                    "weight_gradient": 1.0,
                }
                rows.append(row | {"block": 0, "input_gradient": 10.0**log_span})
                rows.append(row | {"block": 1, "input_gradient": 1.0})
        return rows

    return draw


def _length_rows(excess: NormalByDepth) -> DrawRows:
    """Return a function that draws the gradient's norms at two lengths of paths, 0 and n.

    Their fractions of the sum give the effective length: n/2 plus the excess that is drawn.
    """

    def draw(generator: np.random.Generator) -> list[ProbeRow]:
        rows = []
        for depth, normal in excess.items():
            n = (depth - 2) // 2
            shares = np.clip((n / 2 + normal.draw(generator, SEEDS)) / n, 0.0, 1.0)
            for seed, share in enumerate(shares):
                row = {
                    "run_id": run_id("residual", depth, seed),
                    "iteration": LAST_ITERATION,
                    "time_point": END,
                }
                rows.append(row | {"length": 0, "sum_gradient": 1 - share})
                rows.append(row | {"length": n, "sum_gradient": share})
        return rows

    return draw


def _correlation_rows(correlation: float) -> list[ProbeRow]:
    row = {"iteration": 0, "time_point": INITIALISATION}
    return [
        row | {"distance": 0.0, "correlation": 1.0},
        row | {"distance": 1 / 64, "correlation": correlation},
    ]


def _response_rows(std: float) -> list[ProbeRow]:
    row = {"iteration": LAST_ITERATION, "time_point": END}
    return [row | {"kernel": 3, "layer": 0, "deviation": std}]


def _lesion_rows(increase: float) -> list[ProbeRow]:
    """Return the error with all blocks and that without one; only their difference counts."""
    row = {"iteration": LAST_ITERATION, "time_point": END, "pictures": 297, "block": 0}
    return [
        row | {"kind": "none", "number": 0, "error": 0.0},
        row | {"kind": "delete", "number": 1, "error": increase},
    ]
