"""Step 8: what does the loss look like around a trained network? An illustration, no claim."""

import math
from collections.abc import Mapping

from analysis.plain_text import join_words

TITLE = "what does the loss look like around the network?"
EXPECTATION = (
    "Li et al. 2018 picture a chaotic loss around deep plain networks and a smooth bowl "
    "around residual ones."
)
UNKNOWN = "The grids measured here are too small to say how smooth the loss is."
CONSEQUENCE = "Two random directions test nothing."
DETAILS = (
    "From the weights of a trained network, two random directions are drawn, the network is moved "
    "along both, and its loss on the training images is measured at each point. Each filter of a "
    "direction is scaled to the length of the network's own filter (filter normalisation), so that "
    "equal steps can be compared between networks: one unit on the axes is as far as the weights "
    "are from zero. Biases and the parameters of batch normalisation stay unchanged, and it keeps "
    "using the moving averages of the trained network. Each point is compared with the quadratic "
    "surface that best fits the 24 points around it (on a line, the 4 points beside it), as log10 "
    "of the loss, because the loss spans many decades. A bowl is near its fits almost everywhere, "
    "except perhaps at the network, where its bottom is sharp."
)


def write_introduction(off_surface: Mapping[str, float]) -> str:
    """Return the sentences of this step.

    `off_surface`: family: the largest fraction of the points around one of its networks that lie
    off a smooth surface, or NaN if the grids are too small.
    """
    known = {family: share for family, share in off_surface.items() if not math.isnan(share)}
    finding = UNKNOWN
    if known:
        points = ["of the points", *["of those"] * (len(known) - 1)]
        texts = [
            f"{100 * share:.1f} % {noun} around a {family} network"
            for noun, (family, share) in zip(points, known.items(), strict=True)
        ]
        finding = f"Here at most {join_words(texts)} lie off a smooth surface."
    return f"{EXPECTATION} {finding} {CONSEQUENCE}"
