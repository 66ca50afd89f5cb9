"""Rebuild the network of a run, from its seed, a snapshot or its final weights."""

from torch import nn

from degradation.config import Config
from degradation.records.record import Record
from degradation.records.schema import WEIGHTS_FILE, RecordError, snapshot_file
from degradation.training import serialization
from degradation.training.initial_network import build_initial_network


def load_network(
    iteration: int, config: Config, record: Record, channels: int, classes: int
) -> nn.Module:
    """Return the run's network after `iteration` updates, on the CPU and in train mode.

    Iteration 0 needs no snapshot: the network is initialised again from the run's seed. Only a
    constructed network, which starts from its parent's weights, needs one.

    Args:
        channels: number of channels of the images.
        classes: number of classes of the data set.

    Raises:
        RecordError: the weights are missing or cannot be used.
    """
    network = build_initial_network(config, channels, classes)
    snapshot = snapshot_file(iteration)
    if iteration == config.schedule.iterations:
        _load_weights(network, record, WEIGHTS_FILE)
    elif iteration > 0 or record.path(snapshot).exists():
        _load_weights(network, record, snapshot)
    elif config.model.grown_from is not None:
        raise RecordError(
            f"{record.run_id}: has no weights of iteration 0; a constructed network needs"
            " schedule.snapshots=[0] for that"
        )
    return network


def _load_weights(network: nn.Module, record: Record, name: str) -> None:
    try:
        network.load_state_dict(serialization.load(record.read(name)))
    except serialization.CheckpointError as error:
        raise RecordError(f"{record.path(name)}: {error}; train the run again") from None
    except (RuntimeError, TypeError, AttributeError):
        raise RecordError(
            f"{record.path(name)}: holds another network's weights; train the run again"
        ) from None
