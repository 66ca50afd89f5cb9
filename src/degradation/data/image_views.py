"""The views of a large image that a network is given: augmented, centre crop, ten crops.

A view is uint8 ([10,] 3, crop, crop) and a colour shift, float32 (3,), which is added to the
channels once they are in [0, 1].
"""

from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional as v2

from degradation.config import Stream
from degradation.data.random_streams import build_generator

# The principal components of ImageNet's colours in [0, 1], as in fb.resnet.torch: the variance
# along each component, and one component per column.
COLOUR_VARIANCES = torch.tensor([0.2175, 0.0188, 0.0045])
COLOUR_DIRECTIONS = torch.tensor(
    [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
)
NO_SHIFT = torch.zeros(3)

View = tuple[Tensor, Tensor]
# an image and the index of its random draw -> its view
ViewFunction = Callable[[Image.Image, int], View]


def augment_view(
    stream: Stream, flip: bool, seed: int, stream_name: str, image: Image.Image, draw: int
) -> View:
    """Draw a scale, a crop, a horizontal flip and a colour shift (Krizhevsky et al. 2012, 4.1).

    A pure function of its arguments: `draw` is the index in the random stream `stream_name`.
    """
    random = build_generator(seed, stream_name, draw)

    def draw_integer(low: int, high: int) -> int:
        """Draw an integer from low to high, both inclusive."""
        return int(torch.randint(low, high + 1, (), generator=random))

    # every run's numbers depend on the order of these draws
    shorter_side = draw_integer(stream.scale[0], stream.scale[1])
    scaled = v2.resize(image, [shorter_side])
    width, height = scaled.size
    top = draw_integer(0, height - stream.crop)
    left = draw_integer(0, width - stream.crop)
    is_flipped = draw_integer(0, 1)
    amounts = torch.randn(3, generator=random) * stream.colour * COLOUR_VARIANCES
    crop = v2.crop(scaled, top, left, stream.crop, stream.crop)
    if flip and is_flipped:
        crop = v2.horizontal_flip(crop)
    return v2.pil_to_tensor(crop), (COLOUR_DIRECTIONS * amounts).sum(1)


def crop_centre(stream: Stream, image: Image.Image, _draw: int) -> View:
    """Scale the shorter side to stream.test_scale and take the centre crop, without randomness."""
    scaled = v2.resize(image, [stream.test_scale])
    return v2.pil_to_tensor(v2.center_crop(scaled, [stream.crop])), NO_SHIFT


def crop_ten(stream: Stream, image: Image.Image, _draw: int) -> View:
    """Return the four corners and the centre, then their horizontal flips: (10, 3, crop, crop)."""
    crops = v2.ten_crop(v2.resize(image, [stream.test_scale]), [stream.crop])
    return torch.stack([v2.pil_to_tensor(crop) for crop in crops]), NO_SHIFT
