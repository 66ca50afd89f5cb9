"""Why plain nets degrade and what the shortcut does: what the probes found, in the order in which it explains.

First what degradation is (slow), then what it is not (vanishing gradients) and what goes with it (shattered ones), then
what the shortcut does to the gradient and to the signal, and last what a net so built is like.
"""

from analysis.frame import Frame
from analysis.why import convergence, gradient_flow, identity, landscape, lesions, paths, responses, shattering
from analysis.why.base import Explanation, Make

__all__ = ["Explanation", "explain"]

PARTS: tuple[Make, ...] = (
    convergence.make,
    gradient_flow.make,
    shattering.make,
    identity.make,
    paths.make,
    responses.make,
    lesions.make,
    landscape.make,
)


def explain(frame: Frame, margin: float) -> list[Explanation]:
    """All that the runs of one condition have been probed for; nothing where they have not. `margin` is in points."""
    if not frame.probes:
        return []
    made = [make(frame, margin) for make in PARTS]
    return [explanation for explanation in made if explanation is not None]
