"""Why plain nets degrade and what the shortcut does: what the probes found, in the order in which it explains.

First what degradation is (slow), then what it is not (vanishing gradients) and what goes with it (shattered ones), then
what the shortcut does to the gradient and to the signal, and last what a net so built is like.
"""

from dataclasses import replace

from analysis.frame import Frame
from analysis.mechanisms import (
    convergence,
    gradient_flow,
    gradient_identity,
    landscape,
    lesions,
    paths,
    responses,
    shattering,
)
from analysis.mechanisms.base import Build, Explanation
from analysis.probes import select_sample_size
from degradation.records.schema import LANDSCAPE_DIR

__all__ = ["Explanation", "explain_mechanisms"]

PARTS: tuple[Build, ...] = (
    convergence.build,
    gradient_flow.build,
    shattering.build,
    gradient_identity.build,
    paths.build,
    responses.build,
    lesions.build,
    landscape.build,
)


def explain_mechanisms(frame: Frame, margin: float) -> list[Explanation]:
    """All that the runs of one condition have been probed for; nothing where they have not. `margin` is in points."""
    if not frame.probes:
        return []
    chosen = {
        name: select_sample_size(table)
        for name, table in frame.probes.items()
        if name != LANDSCAPE_DIR
    }  # has its own rule
    tables = {name: table for name, (table, _) in chosen.items()}
    frame = replace(frame, probes=frame.probes | tables)
    made = [make(frame, margin) for make in PARTS]
    excluded = {name: sentences for name, (_, sentences) in chosen.items() if sentences}
    return [
        _with_notes(one, excluded.get(one.name.replace("-", "_"), []))
        for one in made
        if one is not None
    ]


def _with_notes(explanation: Explanation, sentences: list[str]) -> Explanation:
    """With these sentences in the introduction, and as notes of each claim, which a terminal shows too."""
    if not sentences:
        return explanation
    claims = [replace(claim, notes=[*sentences, *claim.notes]) for claim in explanation.claims]
    return replace(
        explanation, claims=claims, introduction=" ".join([explanation.introduction, *sentences])
    )
