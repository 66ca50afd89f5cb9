"""Step 4: what does the shortcut carry? It has no claim, only a check of the arithmetic."""

import math
from collections.abc import Mapping, Sequence

from analysis.claim import Claim, Verdict
from analysis.claim_names import IDENTITY
from analysis.mechanism_texts.wording import find_verdict

TITLE = "what does the shortcut carry?"
EXPECTATION = (
    "A residual block's gradient is the sum of two parts, through its convolutions and through "
    "its shortcut."
)
FAILED = "Here the parts do not add up to the measured gradient, so their sizes mean nothing."
UNKNOWN = "Here the size of the parts is unknown."
DETAILS = (
    "`E` is the loss, `x_l` the input of block `l`, `F` the function that its convolutions "
    "compute, with weights `W_l`, and `L` the block after the last of a stage. A residual block "
    "computes `x_(l+1) = x_l + F(x_l)`. By the chain rule, `dE/dx_l = "
    "dE/dx_(l+1) * (1 + dF/dx_l)`: through the 1, the gradient arrives unchanged, however small "
    "the other term. Where nothing follows the addition (pre-activation blocks), this holds over "
    "all blocks of a stage at once: `dE/dx_l = dE/dx_L * (1 + d/dx_l sum of F(x_i, W_i))`. In the "
    "original blocks (2015), a ReLU follows each addition; its mask `M` is 1 where the sum was "
    "positive and 0 elsewhere. And where a block changes the shape, the shortcut's Jacobian `S` "
    "replaces the 1 (option A takes every second pixel and pads with zero channels; for a "
    "projection, `S` is its matrix). So for an original block, `dE/dx_l = S^T M dE/dx_(l+1) + "
    "F'^T M dE/dx_(l+1)`. Both sides are computed in float64: the left-hand side by the backward "
    "pass of the whole network, the right-hand side from its parts. That they agree checks the "
    "implementation and is not a finding. The shortcut's share is the scalar projection of its "
    "term onto the gradient, divided by the norm of the gradient, so that the shares of both "
    "parts add up to 1."
)


def write_introduction(claims: Sequence[Claim], shares: Mapping[int, float]) -> str:
    """Return the sentences of this step.

    `shares`: depth: the shortcut's share of the gradient at the end of training, mean over blocks
    and seeds, between 0 and 1 as a rule, or NaN if unknown.
    """
    return f"{EXPECTATION} {_describe_shares(claims, shares)}"


def _describe_shares(claims: Sequence[Claim], shares: Mapping[int, float]) -> str:
    """Return the shares of the shallowest and the deepest network."""
    if find_verdict(claims, IDENTITY) is Verdict.CONTRADICTED:
        return FAILED
    known = {depth: share for depth, share in shares.items() if not math.isnan(share)}
    if not known:
        return UNKNOWN
    texts = [f"{100 * known[depth]:.0f} % at {depth} layers" for depth in _list_ends(known)]
    return (
        "Here, after training, the shortcut's share (its length along the whole gradient, mean "
        f"over blocks) is {' and '.join(texts)}."
    )


def _list_ends(depths: Mapping[int, float]) -> list[int]:
    """Return the smallest and the largest depth, or the only one."""
    return sorted({min(depths), max(depths)})
