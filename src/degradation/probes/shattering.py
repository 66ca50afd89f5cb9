"""Shattered gradients (Balduzzi et al. 2017): how similar are gradients at nearby inputs?"""

import torch
from torch import Tensor, nn

from degradation.models.batchnorm import exact_statistics
from degradation.probes.table import Table, to_column
from degradation.registry import PROBES

LINES = 16  # between random pairs of images
POINTS = 65  # per line, including both ends


@PROBES.register(
    "shattering",
    at=("start", "end"),
    split="train",
    needs_shortcuts=False,
    any_network=True,
    columns={"distance": "size", "correlation": "number or null"},
)
def measure_shattering(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    lines: int = LINES,
    points: int = POINTS,
) -> Table:
    """Measure the correlation of input gradients along straight lines between images.

    A line connects two random images of the batch. The gradient at a point is that of the logit of
    the first image's class with respect to the input. BN normalises by the statistics of the batch
    of images, so that each point's logit depends only on that point. White noise has correlation 0
    at any distance above 0, and a linear network has correlation 1.

    Args:
        images: float (N, C, H, W), normalised; N must be at least 2.
        labels: int64 (N,).

    Returns:
        One row per distance between two points of a line. `distance`: as a fraction of the line's
        length. `correlation`: the mean cosine of the two gradients over all such pairs on all
        lines. Points where the gradient is 0 are excluded; the mean is None if no pair remains.
    """
    positions = torch.linspace(0, 1, points, device=images.device).view(-1, 1, 1, 1)
    cosines = []
    with exact_statistics(network, [images]), torch.enable_grad():
        was_training = network.training
        network.eval()
        for _ in range(lines):  # one line at a time: the graph of a deep network is large
            first, second = torch.randperm(len(images), generator=generator)[:2].tolist()
            x = images[first] + positions * (images[second] - images[first])  # (points, C, H, W)
            x.requires_grad_()
            (gradient,) = torch.autograd.grad(network(x)[:, labels[first]].sum(), x)
            cosines.append(_cosines(gradient))
        network.train(was_training)
    pairs = torch.stack(cosines)  # (lines, points, points)
    lags = range(points)
    return {
        "distance": [lag / (points - 1) for lag in lags],
        "correlation": to_column(pairs.diagonal(lag, 1, 2).nanmean().item() for lag in lags),
    }


def _cosines(gradients: Tensor) -> Tensor:
    """Return the cosines (points, points) of the gradients (points, C, H, W), or NaN if one is 0.

    They are computed in float64, because squares of small float32 gradients underflow.
    """
    exact = gradients.cpu().double().flatten(1)
    directions = exact / exact.norm(dim=1, keepdim=True)
    cosines: Tensor = directions @ directions.T
    return cosines
