"""Processes started by torchrun that train one run together, each on a share of every batch.

The batches, their order and the parts that BN normalises do not depend on the number of processes.
Sums over processes differ from one process's sums by rounding only. The main process writes the
record; the others only compute.
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
from degradation.models.batchnorm import batchnorm_layers
from degradation.training import serialization
from degradation.training.device import choose_device

# No slow evaluation may end a run. When a process dies, torchrun ends the others at once.
COLLECTIVE_TIMEOUT = timedelta(days=1)


class WorkerGroup:
    """This process within the group that trains a run, or on its own.

    Attributes:
        shard: which share of every batch this process computes.
    """

    def __init__(self, shard: Shard = WHOLE) -> None:
        self.shard = shard
        self._has_started = False  # do the workers know whether there is anything to train?

    @property
    def is_single(self) -> bool:
        return self.shard.count == 1

    @property
    def is_main(self) -> bool:
        return self.shard.rank == 0

    def wrap(self, network: nn.Module, bn_parts: int) -> nn.Module:
        """Return the network as it trains: BN per part, gradients averaged over the processes.

        Args:
            bn_parts: parts that BN normalises separately in the whole batch; a multiple of the
                number of processes.
        """
        own_parts = SplitBatch(network, bn_parts // self.shard.count)
        if self.is_single:
            return own_parts
        return DistributedDataParallel(own_parts, forward_sync_buffers=False)

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over the processes; the tensor itself is not changed."""
        if self.is_single:
            return value
        total = value.clone()
        dist.all_reduce(total)
        return total

    def agree_on_stop(self, signum: int | None) -> int | None:
        """Return the signal that any process has received, so that all stop at one iteration."""
        if self.is_single:
            return signum
        received = torch.tensor(signum or 0)
        dist.all_reduce(received, dist.ReduceOp.MAX)
        return int(received.item()) or None

    def send_state(self, state: dict[str, Any]) -> None:
        """Send the workers the state that training starts from. Called by the main process."""
        self._broadcast(serialization.dump(state))

    def send_stop(self) -> None:
        """Let the workers end if training has not started. Called by the main process."""
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
        """Wait for the main process's state; None if there is nothing to train."""
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
        """After the enclosed training step, give BN's moving averages the values of one process.

        One process updates a moving average r once per part, in order: r <- (1 - m) r + m s, with
        momentum m and the part's statistic s. Each process of a group does so for its own parts,
        starting from the same r. What each has added is then combined in the order of the parts.
        """
        if self.is_single:
            yield
            return
        norms = batchnorm_layers(network)
        averages = _moving_averages(norms)
        before = _flatten(averages)
        yield
        own = _flatten(averages)
        of_each_process = [torch.empty_like(own) for _ in range(self.shard.count)]
        dist.all_gather(of_each_process, own)

        own_parts = bn_parts // self.shard.count
        momentum = norms[0].momentum or 0.0
        decay = (1 - momentum) ** own_parts  # weight of the old average after one process's parts
        merged = before
        for after in of_each_process:
            merged = decay * merged + (after - decay * before)
        _unflatten(merged, averages)
        for norm in norms:
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked += bn_parts - own_parts


SINGLE = WorkerGroup()


class SplitBatch(nn.Module):
    """A network that processes a batch in equal parts, so that BN normalises each part separately.

    (B, C, H, W) -> logits (B, classes); B must be a multiple of `parts`.
    """

    def __init__(self, network: nn.Module, parts: int) -> None:
        super().__init__()
        self.network, self.parts = network, parts

    def forward(self, images: Tensor) -> Tensor:
        if self.parts == 1:
            logits: Tensor = self.network(images)
            return logits
        return torch.cat([self.network(part) for part in images.chunk(self.parts)])


def _moving_averages(norms: list[nn.BatchNorm2d]) -> list[Tensor]:
    averages = []
    for norm in norms:
        averages += [norm.running_mean, norm.running_var]
    return [average for average in averages if average is not None]


def _flatten(buffers: list[Tensor]) -> Tensor:
    return torch.cat([buffer.flatten() for buffer in buffers])


def _unflatten(flat: Tensor, buffers: list[Tensor]) -> None:
    """Copy the parts of a vector back into the buffers it was flattened from."""
    sizes = [buffer.numel() for buffer in buffers]
    for buffer, values in zip(buffers, torch.split(flat, sizes), strict=True):
        buffer.copy_(values.view_as(buffer))


@contextmanager
def init_distributed(config: Config) -> Iterator[WorkerGroup]:
    """Join the processes that torchrun has started; without torchrun, yield the single process.

    Raises:
        ConfigError: the batch's BN parts cannot be shared by so many processes, or there are fewer
            GPUs than processes.
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
    """Raise ConfigError if the processes cannot share the parts: each normalises its own."""
    if bn_parts % processes:
        raise ConfigError(
            f"model.bn_parts: {bn_parts} is not allowed with {processes} processes, because each"
            f" process normalises its own share of a batch; allowed: {processes} and its multiples"
        )


def _choose_backend(config: Config, local_rank: int) -> str:
    """Return the backend of the configured device; on CUDA, select this process's own GPU."""
    if choose_device(config.device).type != "cuda":
        return "gloo"
    gpus = torch.cuda.device_count()
    if local_rank >= gpus:
        raise ConfigError(
            f"device: this machine has {gpus} GPUs; allowed: one process per GPU"
            f" (torchrun --nproc-per-node {gpus})"
        )
    torch.cuda.set_device(local_rank)
    return "cpu:gloo,cuda:nccl"  # states and signals travel as CPU tensors, gradients by NCCL
