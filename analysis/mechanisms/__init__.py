"""Why plain networks degrade, and what the shortcut does: the evidence of the probes.

One module per mechanism. The report presents them in the order of the argument: first what
degradation is (slow convergence), then what it is not (vanishing gradients) and what accompanies
it (shattered gradients), then what the shortcut does to the gradient and to the signal, and
finally how this changes the trained networks.

A module is a mechanism if it defines `POSITION` (its place in the report), `judge(frame, margin)`,
which returns the claims with their verdicts, and `build(frame, margin)`, which returns the whole
Explanation, or None if the runs lack the probe. This package collects such modules automatically,
so a new mechanism costs one file plus its figure. The other modules hold what several mechanisms
share.
"""

from dataclasses import replace
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from analysis.claim import Claim
from analysis.figures.marks import describe_marks
from analysis.frame import Frame
from analysis.mechanisms.base import Explanation
from analysis.probes import select_sample_size
from degradation.records.schema import LANDSCAPE_DIR

__all__ = ["Explanation", "explain_mechanisms"]


class Mechanism(Protocol):
    """A module of this package that explains one mechanism."""

    POSITION: int  # place in the report

    def judge(self, frame: Frame, margin: float) -> list[Claim]:
        """Return the claims with their verdicts; the runs must have the probe."""

    def build(self, frame: Frame, margin: float) -> Explanation | None:
        """Return claims, table and figures, or None if the runs lack the probe."""


def explain_mechanisms(frame: Frame, margin: float) -> list[Explanation]:
    """Explain every mechanism that the probes of one condition's runs cover.

    `margin`: in points of error. Returns an empty list if no run was probed.
    """
    if not frame.probes:
        return []
    frame, excluded_samples = _select_sample_sizes(frame)
    explanations = []
    for mechanism in _list_mechanisms():
        explanation = mechanism.build(frame, margin)
        if explanation is None:
            continue
        probe = explanation.name.replace("-", "_")
        explanation = _complete_figures(explanation, frame, probe)
        explanations.append(_add_sentences(explanation, excluded_samples.get(probe, [])))
    return explanations


def _list_mechanisms() -> list[Mechanism]:
    mechanisms = []
    for info in iter_modules(__path__):
        module = import_module(f"{__name__}.{info.name}")
        if hasattr(module, "POSITION"):
            mechanisms.append(cast(Mechanism, module))
    return sorted(mechanisms, key=lambda mechanism: mechanism.POSITION)


def _select_sample_sizes(frame: Frame) -> tuple[Frame, dict[str, list[str]]]:
    """Restrict each probe to the measurements that were made on the same number of images.

    Returns the frame and, for each probe, sentences on what is excluded. The landscape is not
    restricted here, because it has its own rule.
    """
    probes = dict(frame.probes)
    excluded_samples = {}
    for name, table in frame.probes.items():
        if name != LANDSCAPE_DIR:
            probes[name], excluded_samples[name] = select_sample_size(table)
    return replace(frame, probes=probes), excluded_samples


def _complete_figures(explanation: Explanation, frame: Frame, probe: str) -> Explanation:
    """Add what the marks in each figure are, and the runs that it shows.

    These are the probed runs, or else all runs, unless the explanation names them.
    """
    figures = {
        stem: (figure, f"{caption} {describe_marks(figure)}".strip())
        for stem, (figure, caption) in explanation.figures.items()
    }
    run_ids = tuple(frame.probes.get(probe, frame.runs)["run_id"].unique())
    shown_run_ids = dict.fromkeys(explanation.figures, run_ids) | explanation.shown_run_ids
    return replace(explanation, figures=figures, shown_run_ids=shown_run_ids)


def _add_sentences(explanation: Explanation, sentences: list[str]) -> Explanation:
    """Add sentences to the details and, for the terminal, to the notes of each claim."""
    if not sentences:
        return explanation
    claims = [replace(claim, notes=[*sentences, *claim.notes]) for claim in explanation.claims]
    details = " ".join([explanation.details, *sentences]).strip()
    return replace(explanation, claims=claims, details=details)
