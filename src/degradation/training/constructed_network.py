"""Start a trainer from the network that is constructed from its parent's (models/construction)."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from torch import Tensor

from degradation.config import Config
from degradation.data.datasets import Batch
from degradation.models.build import require_blocks
from degradation.models.construction import grow
from degradation.training.device import place_network
from degradation.training.initial_network import build_initial_network
from degradation.training.trainer import Trainer


def start_from_grown(
    trainer: Trainer,
    parent: Config,
    batches: Callable[[], Iterable[Batch]],
    weights: Mapping[str, Tensor] | None = None,
) -> None:
    """Replace the trainer's network with one that is grown from its parent's.

    Args:
        parent: the configuration of the shallower run.
        batches: returns batches of training images and their labels, for `grow`.
        weights: those of the trained parent; None: its initial ones.
    """

    def images_of_batches() -> Iterator[Tensor]:
        return (images for images, _ in batches())

    network = require_blocks(trainer.network, "model.grown_from")
    channels, classes = network.conv1.in_channels, network.fc.out_features
    shallow = require_blocks(build_initial_network(parent, channels, classes), "model.grown_from")
    if weights is not None:
        shallow.load_state_dict(weights)
    shallow = place_network(shallow, trainer.config.precision, trainer.device).eval()
    trainer.start_from(grow(shallow, trainer.config.model, images_of_batches))
