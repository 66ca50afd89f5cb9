"""Processes started by torchrun that train one run together, each on a share of every batch.

Batches, their order and the parts that BN normalises do not depend on the number of processes, so
the results differ from those of one process by rounding only. The main process writes the record;
the others only compute.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from degradation.config import Config, ConfigError
from degradation.data.random_streams import WHOLE, Shard
from degradation.models.batchnorm import BatchNorm, batchnorm_layers
from degradation.models.random_draws import is_random
from degradation.training import serialization
from degradation.training.device import choose_device

# Long, so that a slow evaluation does not end a run. If a process dies, torchrun ends the others.
COLLECTIVE_TIMEOUT = timedelta(days=1)


class WorkerGroup:
    """The processes that train a run together, as seen from this process; it may be the only one.

    Attributes:
        shard: the share of every batch that this process computes.
    """

    def __init__(self, shard: Shard = WHOLE) -> None:
        self.shard = shard
        self._has_started = False  # whether the workers have received a state or a stop

    @property
    def is_single(self) -> bool:
        return self.shard.count == 1

    @property
    def is_main(self) -> bool:
        return self.shard.rank == 0

    def wrap(self, network: nn.Module, bn_parts: int) -> nn.Module:
        """Wrap the network for training: BN per part, and gradients averaged over the processes.

        Args:
            bn_parts: number of parts of the whole batch that BN normalises separately; a multiple
                of the number of processes.

        Raises:
            ConfigError: several processes cannot train this network, because a BN layer has no
                momentum.
        """
        own_parts = SplitBatch(network, bn_parts // self.shard.count)
        if self.is_single:
            return own_parts
        _check_momenta(network)
        # a forward pass that draws may skip layers, whose parameters then have no gradients
        return DistributedDataParallel(
            own_parts, forward_sync_buffers=False, find_unused_parameters=is_random(network)
        )

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes. The tensor itself does not change."""
        if self.is_single:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total

    def agree_on_stop(self, signum: int | None) -> int | None:
        """Return a signal that any process has received, so that all stop at the same iteration."""
        if self.is_single:
            return signum
        received = torch.tensor(signum or 0)
        dist.all_reduce(received, dist.ReduceOp.MAX)
        return int(received.item()) or None

    def send_state(self, state: dict[str, Any]) -> None:
        """Send the workers the state that training starts from. Called by the main process."""
        self._broadcast(serialization.dump(state))

    def send_stop(self) -> None:
        """Let the workers return if training has not started. Called by the main process."""
        if not self._has_started:
            self._broadcast(b"")

    def _broadcast(self, content: bytes) -> None:
        self._has_started = True
        if self.is_single:
            return
        dist.broadcast(torch.tensor(len(content)), 0)
        if content:
            dist.broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8), 0)

    def receive_state(self) -> dict[str, Any] | None:
        """Wait for the main process's state, or None if there is nothing to train."""
        size = torch.tensor(0)
        dist.broadcast(size, 0)
        if not size:
            return None
        content = torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(content, 0)
        state: dict[str, Any] = serialization.load(content.numpy().tobytes())
        return state

    @contextmanager
    def merged_batchnorm(self, network: nn.Module, bn_parts: int) -> Iterator[None]:
        """After the enclosed training step, set BN's moving averages to those of a single process.

        A single process updates a moving average r once per part, in order: r <- (1 - m) r + m s,
        with momentum m and the part's statistic s. Each process of a group does so for its own
        parts, starting from the same r. Their contributions are then merged in the order of parts.
        """
        norms = batchnorm_layers(network)
        if self.is_single or not norms:
            yield
            return
        averages = _moving_averages(norms)
        before = _flatten(averages)
        yield
        own = _flatten(averages)
        gathered = [torch.empty_like(own) for _ in range(self.shard.count)]  # one per process
        dist.all_gather(gathered, own)

        own_parts = bn_parts // self.shard.count
        decay = _moving_average_decays(norms, own_parts)
        merged = before
        for after in gathered:
            merged = decay * merged + (after - decay * before)
        _unflatten(merged, averages)
        for norm in norms:
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked += bn_parts - own_parts


SINGLE = WorkerGroup()


class SplitBatch(nn.Module):
    """A network applied to equal parts of a batch, so that BN normalises each part separately.

    (B, C, H, W) -> logits (B, classes), where B must be a multiple of `parts`.
    """

    def __init__(self, network: nn.Module, parts: int) -> None:
        super().__init__()
        self.network, self.parts = network, parts

    def forward(self, images: Tensor) -> Tensor:
        if self.parts == 1:
            logits: Tensor = self.network(images)
            return logits
        return torch.cat([self.network(part) for part in images.chunk(self.parts)])


def _moving_averages(norms: list[BatchNorm]) -> list[Tensor]:
    averages = []
    for norm in norms:
        averages += [norm.running_mean, norm.running_var]
    return [average for average in averages if average is not None]


def _moving_average_decays(norms: list[BatchNorm], updates: int) -> Tensor:
    """Return the weight of each old moving average after so many updates, flattened."""
    decays = []
    for norm in norms:
        assert norm.momentum is not None  # `_check_momenta`
        decay = (1 - norm.momentum) ** updates
        decays += [torch.full_like(average, decay) for average in _moving_averages([norm])]
    return _flatten(decays)


def _check_momenta(network: nn.Module) -> None:
    """Raise ConfigError if a BN layer averages over all batches so far: those cannot be merged."""
    for norm in batchnorm_layers(network):
        if norm.momentum is None:
            raise ConfigError(
                "model.network: a BN layer with momentum=None cannot be trained by several"
                " processes; allowed: a number as its momentum, or one process"
            )


def _flatten(buffers: list[Tensor]) -> Tensor:
    return torch.cat([buffer.flatten() for buffer in buffers])


def _unflatten(flat: Tensor, buffers: list[Tensor]) -> None:
    """Copy the values of a vector into the buffers, in the order of `_flatten`."""
    sizes = [buffer.numel() for buffer in buffers]
    for buffer, values in zip(buffers, torch.split(flat, sizes), strict=True):
        buffer.copy_(values.view_as(buffer))


@contextmanager
def init_distributed(config: Config) -> Iterator[WorkerGroup]:
    """Join the processes that torchrun has started; without torchrun, yield the single process.

    Raises:
        ConfigError: `model.bn_parts` is not a multiple of the number of processes, or there are
            fewer GPUs than processes.
    """
    if not dist.is_torchelastic_launched():
        yield SINGLE
        return
    processes = int(os.environ["WORLD_SIZE"])
    _check_bn_parts(config.model.bn_parts, processes)
    backend = _choose_backend(config, local_rank=int(os.environ["LOCAL_RANK"]))
    dist.init_process_group(backend, timeout=COLLECTIVE_TIMEOUT)
    try:
        yield WorkerGroup(Shard(int(os.environ["RANK"]), processes))
    finally:
        dist.destroy_process_group()


def _check_bn_parts(bn_parts: int, processes: int) -> None:
    """Raise ConfigError if the parts cannot be divided equally among the processes."""
    if bn_parts % processes:
        raise ConfigError(
            f"model.bn_parts: {bn_parts} is not allowed with {processes} processes, because each"
            f" process normalises its own share of a batch; allowed: {processes} and its multiples"
        )


def _choose_backend(config: Config, local_rank: int) -> str:
    """Return the backend for the configured device; on CUDA, select this process's GPU."""
    if choose_device(config.device).type != "cuda":
        return "gloo"
    gpus = torch.cuda.device_count()
    if local_rank >= gpus:
        raise ConfigError(
            f"device: this machine has {gpus} GPUs; allowed: one process per GPU"
            f" (torchrun --nproc-per-node {gpus})"
        )
    torch.cuda.set_device(local_rank)
    return "cpu:gloo,cuda:nccl"  # gloo for states and signals, NCCL for gradients
