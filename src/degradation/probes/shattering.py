"""Shattered gradients (Balduzzi et al. 2017): how alike are the gradients at two inputs that are near each other?"""

import torch
from torch import Tensor

from degradation.models.batchnorm import exact_statistics
from degradation.models.network import Network
from degradation.probes.table import Table, column

LINES = 16
POINTS = 65  # on each line, both ends among them


def shattering(
    network: Network,
    pictures: Tensor,
    labels: Tensor,
    generator: torch.Generator,
    lines: int = LINES,
    points: int = POINTS,
) -> Table:
    """A row a distance: the mean cosine of the gradients at two points of a line so far apart, over points and lines.

    A point with no gradient at all has no direction, and is in no pair.

    Lines go from one picture to another, drawn from the batch, and `distance` is in their lengths. The gradient is that
    of the logit of the first picture's class by the input. BN normalises by the batch of pictures, so that each point's
    logit depends on that point alone. White noise has correlation 0 at any distance above 0, a linear network 1.
    """
    place = torch.linspace(0, 1, points, device=pictures.device).view(-1, 1, 1, 1)
    cosines = []
    with exact_statistics(network, [pictures]), torch.enable_grad():
        was_training = network.training
        network.eval()
        for _ in range(lines):  # one at a time: a deep network's graph is large
            one, other = torch.randperm(len(pictures), generator=generator)[:2].tolist()
            x = (
                pictures[one] + place * (pictures[other] - pictures[one])
            ).requires_grad_()  # (points, C, H, W)
            (gradient,) = torch.autograd.grad(network(x)[:, labels[one]].sum(), x)
            exact = gradient.cpu().double().flatten(1)  # a small gradient has a direction too
            direction = exact / exact.norm(dim=1, keepdim=True)  # NaN where there is none
            cosines.append(direction @ direction.T)
        network.train(was_training)
    pairs = torch.stack(cosines)  # (lines, points, points)
    apart = range(points)
    return {
        "distance": [lag / (points - 1) for lag in apart],
        "correlation": column(pairs.diagonal(lag, 1, 2).nanmean().item() for lag in apart),
    }
