"""Shattered gradients (Balduzzi et al. 2017): how alike are the gradients at two inputs that are near each other?"""

import torch
import torch.nn.functional as F
from torch import Tensor

from degradation.models.network import Network
from degradation.models.normalisation import exact_statistics
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

    Lines go from one picture to another, drawn from the batch, and `distance` is in their lengths. The gradient is that
    of the logit of the first picture's class by the input. BN normalises by the batch of pictures, so that each point's
    logit depends on that point alone. White noise has correlation 0 at any distance above 0, a linear network 1.
    """
    ends = torch.stack([torch.randperm(len(pictures), generator=generator)[:2] for _ in range(lines)])
    first, second = (pictures[ends[:, side]] for side in (0, 1))
    place = torch.linspace(0, 1, points, device=pictures.device).view(1, -1, 1, 1, 1)
    line = first[:, None] + place * (second - first)[:, None]  # (lines, points, C, H, W)
    x = line.flatten(0, 1).contiguous().requires_grad_()
    chosen = labels[ends[:, 0]].repeat_interleave(points)
    with exact_statistics(network, [pictures]), torch.enable_grad():
        was_training = network.training
        logits = network.eval()(x)
        network.train(was_training)
        (gradient,) = torch.autograd.grad(logits.gather(1, chosen[:, None]).sum(), x)
    direction = F.normalize(gradient.reshape(lines, points, -1).double(), dim=2)
    cosines = direction @ direction.transpose(1, 2)  # (lines, points, points)
    apart = range(points)
    return {
        "distance": [lag / (points - 1) for lag in apart],
        "correlation": column(cosines.diagonal(lag, 1, 2).mean().item() for lag in apart),
    }
