"""The claims about what probes find: tables are drawn, and the modules that explain them are asked.

Of several bounds the worst truth at the margin has one of them there and the others as seen.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

from analysis.claim import Verdict
from analysis.mechanisms import gradient_flow, lesions, paths, responses, shattering
from analysis.power import published, runs
from analysis.power.published import Nets, Normal
from analysis.power.simulation import AS_SEEN, NO_EFFECT, Case, verdict_of
from analysis.probes import END, INITIALISATION

LOG_SPAN = 0.11  # standard deviation over seeds of log10 of a span, median over quick's networks; in no table
HEALTHY, LIMIT = 1.0, 2.0  # log10 of a span of 10, and of the span that the claim allows
RELEVANT = 0.05  # a difference of standard deviations of responses, which begin at 1
Rows = Callable[[np.random.Generator], list[dict[str, Any]]]
Found = tuple[
    ModuleType, str, str, str, Rows
]  # module, probe, claim, truth, rows of the probe's table


@dataclass(frozen=True)
class Probed:
    """Draws runs and a probe's table, and asks the module that explains it.

    Without its figures and its summary, which would take most of the time.
    """

    module: ModuleType
    probe: str
    claim: str
    errors: Nets  # training errors, by which a run is untrained
    rows: Rows  # of the probe's table
    margin: float

    def __call__(self, generator: np.random.Generator) -> Verdict:
        frame = runs.frame(self.errors, generator)
        frame = runs.probed(frame.runs, self.probe, self.rows(generator))
        with mock.patch.multiple(self.module, figure=mock.DEFAULT, summary=mock.DEFAULT):
            explanation = self.module.build(frame, self.margin)
        return verdict_of(explanation.claims, self.claim)


def probe_cases(ledger: Path, margin: float) -> Iterator[Case]:
    errors = published.training_errors(ledger)
    for module, probe, claim, truth, rows in (
        *_norms(ledger),
        *_shattering(published.correlations(ledger)),
        *_paths(published.excess_lengths(ledger)),
        *_responses(published.responses(ledger)),
        *_lesions(errors, published.increases(ledger), margin),
    ):
        yield Case(claim, truth, Probed(module, probe, claim, errors, rows, margin))


def _norms(ledger: Path) -> Iterator[Found]:
    spans = published.log_spans(ledger, LOG_SPAN)
    for family, seen in spans.items():
        healthy = dict.fromkeys(seen, Normal(HEALTHY, LOG_SPAN))
        at_limit = dict.fromkeys(seen, Normal(LIMIT, LOG_SPAN))
        deepest = (max(depth for depth, _ in seen), 0)
        truths = {
            AS_SEEN: seen,
            "a factor of 10 at every depth and probe": healthy,
            "a factor of 100 at every depth and probe": at_limit,
            "a factor of 100 at one depth and probe, else 10": healthy
            | {deepest: Normal(LIMIT, LOG_SPAN)},
        }
        name = f"healthy norms, {family}"
        for truth, of_truth in truths.items():
            yield gradient_flow, "gradient_flow", name, truth, _flow(family, of_truth)


def _flow(family: str, spans: dict[tuple[int, int], Normal]) -> Rows:
    """Two rows per run and iteration: of the first block, and behind the last."""

    def rows(generator: np.random.Generator) -> list[dict[str, Any]]:
        found = []
        for (depth, iteration), normal in spans.items():
            moment = {0: INITIALISATION, runs.LAST: END}.get(iteration, f"iteration {iteration}")
            logs = np.maximum(normal.draw(generator, runs.SEEDS), 0.0)
            for seed, log in enumerate(logs):
                head = {
                    "run_id": runs.run_id(family, depth, seed),
                    "iteration": iteration,
                    "moment": moment,
                }
                found.append(
                    head | {"block": 0, "input_gradient": 10.0**log, "weight_gradient": 1.0}
                )
                found.append(head | {"block": 1, "input_gradient": 1.0, "weight_gradient": 1.0})
        return found

    return rows


def _shattering(seen: Nets) -> Iterator[Found]:
    name, shallow = "shattered gradients", min(seen["plain"].items())[1]
    alike = {family: dict.fromkeys(depths, shallow) for family, depths in seen.items()}
    weakest = min(seen["plain"])
    equal = seen["residual"] | {weakest: Normal(shallow.mean, seen["residual"][weakest].deviation)}
    truths: dict[str, Nets] = {
        AS_SEEN: seen,
        "no effect, which is the margin (0)": alike,
        f"families alike at {weakest} layers, else as seen": seen | {"residual": equal},
    }
    for truth, nets in truths.items():
        yield shattering, "shattering", name, truth, _per_run(nets, _correlation)


def _correlation(value: float) -> list[dict[str, Any]]:
    head = {"iteration": 0, "moment": INITIALISATION}
    return [
        head | {"distance": 0.0, "correlation": 1.0},
        head | {"distance": 1 / 64, "correlation": value},
    ]


def _paths(seen: Nets) -> Iterator[Found]:
    name, depths = "short paths", seen["residual"]
    none = {depth: Normal(0.0, normal.deviation) for depth, normal in depths.items()}
    weakest = min(depths)
    truths: dict[str, dict[int, Normal]] = {
        AS_SEEN: depths,
        "no effect, which is the margin (0)": none,
        f"0 at {weakest} layers, else as seen": depths | {weakest: none[weakest]},
    }
    for truth, of_truth in truths.items():
        yield paths, "paths", name, truth, _lengths(of_truth)


def _lengths(excess: dict[int, Normal]) -> Rows:
    """The gradient's norms at the lengths 0 and n, so that the effective length is as drawn."""

    def rows(generator: np.random.Generator) -> list[dict[str, Any]]:
        found = []
        for depth, normal in excess.items():
            n = (depth - 2) // 2
            shares = np.clip((n / 2 + normal.draw(generator, runs.SEEDS)) / n, 0.0, 1.0)
            for seed, share in enumerate(shares):
                head = {
                    "run_id": runs.run_id("residual", depth, seed),
                    "iteration": runs.LAST,
                    "moment": END,
                }
                found.append(head | {"length": 0, "sum_gradient": 1 - share})
                found.append(head | {"length": n, "sum_gradient": share})
        return found

    return rows


def _responses(seen: Nets) -> Iterator[Found]:
    shallow = min(seen["residual"].items())[1]
    weakest = min(seen["plain"])
    equal = {
        depth: Normal(seen["plain"][depth].mean, normal.deviation)
        for depth, normal in seen["residual"].items()
    }
    less = {depth: normal.shifted(-RELEVANT) for depth, normal in equal.items()}
    truths: dict[str, list[tuple[str, Nets]]] = {
        "weaker responses": [
            (AS_SEEN, seen),
            (NO_EFFECT, seen | {"residual": equal}),
            (
                f"alike at {weakest} layers, else as seen",
                seen | {"residual": seen["residual"] | {weakest: equal[weakest]}},
            ),
            (f"a difference of {RELEVANT:g} at every depth", seen | {"residual": less}),
        ],
        "weaker with depth": [
            (AS_SEEN, seen),
            (NO_EFFECT, seen | {"residual": dict.fromkeys(seen["residual"], shallow)}),
        ],
    }
    for name, of_claim in truths.items():
        for truth, nets in of_claim:
            yield responses, "responses", name, truth, _per_run(nets, _response)


def _response(value: float) -> list[dict[str, Any]]:
    return [{"iteration": runs.LAST, "moment": END, "kernel": 3, "layer": 0, "deviation": value}]


def _lesions(errors: Nets, seen: Nets, margin: float) -> Iterator[Found]:
    name, plain, residual = "lesions", seen["plain"], seen["residual"]
    deepest = max(depth for depth in plain if errors["plain"][depth].mean < runs.CHANCE - 2)
    at_margin = {
        depth: Normal(residual[depth].mean + margin, normal.deviation)
        for depth, normal in plain.items()
    }
    none = {
        depth: Normal(residual[depth].mean, normal.deviation) for depth, normal in plain.items()
    }
    truths: dict[str, Nets] = {
        AS_SEEN: seen,
        NO_EFFECT: seen | {"plain": none},
        f"{margin:g} points at every depth": seen | {"plain": at_margin},
        f"{margin:g} points at {deepest} layers, else as seen": seen
        | {"plain": plain | {deepest: at_margin[deepest]}},
    }
    for truth, nets in truths.items():
        yield lesions, "lesions", name, truth, _per_run(nets, _lesion)


def _lesion(value: float) -> list[dict[str, Any]]:
    """Errors without a block less and with: only their difference counts."""
    head = {"iteration": runs.LAST, "moment": END, "pictures": 297, "block": 0}
    return [
        head | {"kind": "none", "number": 0, "error": 0.0},
        head | {"kind": "delete", "number": 1, "error": value},
    ]


def _per_run(nets: Nets, rows_of: Callable[[float], list[dict[str, Any]]]) -> Rows:
    """A number per run, and the rows of the probe's table that it makes."""

    def rows(generator: np.random.Generator) -> list[dict[str, Any]]:
        found = []
        for family, depths in nets.items():
            for depth, normal in depths.items():
                values = normal.draw(generator, runs.SEEDS)
                for seed, value in enumerate(values):
                    run_id = runs.run_id(family, depth, seed)
                    found += [{"run_id": run_id} | row for row in rows_of(float(value))]
        return found

    return rows
