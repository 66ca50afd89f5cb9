"""The processes that train one run together, an equal share of every batch each: those that torchrun has started.

The batches, their order and BN's parts of them do not depend on the number of processes; sums over processes differ
from those of one process by rounding only. The first process writes the record, the others follow it.
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
from degradation.training.optimizer import choose_device

PATIENCE = timedelta(
    days=1
)  # torchrun ends the others when one process has ended; a slow evaluation ends none


class WorkerGroup:
    """One process of them, or the only one."""

    def __init__(self, share: Shard = WHOLE) -> None:
        self.share = share
        self.told = False  # do the others know what to do?

    @property
    def is_single(self) -> bool:
        return self.share.count == 1

    @property
    def is_main(self) -> bool:
        return self.share.rank == 0

    def parallel(self, network: nn.Module, bn_parts: int) -> nn.Module:
        """The network as it trains: this process's parts of a batch, gradients averaged over the processes."""
        parts = InParts(network, bn_parts // self.share.count)
        return (
            parts if self.is_single else DistributedDataParallel(parts, forward_sync_buffers=False)
        )

    def total(self, value: Tensor) -> Tensor:
        """The sum over the processes."""
        if not self.is_single:
            value = value.clone()
            dist.all_reduce(value)
        return value

    def stop_asked(self, signum: int | None) -> int | None:
        """The signal that any of the processes has got: all stop after the same iteration."""
        if self.is_single:
            return signum
        asked = torch.tensor(signum or 0)
        dist.all_reduce(asked, dist.ReduceOp.MAX)
        return int(asked.item()) or None

    def start(self, state: dict[str, Any]) -> None:
        """The first process: hand the others the state that training begins with."""
        self._tell(serialization.dump(state))

    def dismiss(self) -> None:
        """The first process: there is nothing to train, or no more."""
        if not self.told:
            self._tell(b"")

    def _tell(self, content: bytes) -> None:
        self.told = True
        if self.is_single:
            return
        dist.broadcast(torch.tensor(len(content)), 0)
        if content:
            dist.broadcast(torch.frombuffer(bytearray(content), dtype=torch.uint8), 0)

    def receive(self) -> dict[str, Any] | None:
        """The others: the state to begin with; None where there is nothing to do."""
        size = torch.tensor(0)
        dist.broadcast(size, 0)
        if not size:
            return None
        content = torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(content, 0)
        state: dict[str, Any] = serialization.load(content.numpy().tobytes())
        return state

    @contextmanager
    def averaging(self, network: nn.Module, bn_parts: int) -> Iterator[None]:
        """Inside is the training pass of one batch; BN's moving averages are then what one process's would be.

        One process moves them once a part, in order: r <- (1 - m) r + m s. Each process has done so for its own parts,
        from the same r, so what they have added is brought together.
        """
        if self.is_single:
            yield
            return
        norms = batchnorm_layers(network)
        buffers = [
            buffer
            for norm in norms
            for buffer in (norm.running_mean, norm.running_var)
            if buffer is not None
        ]
        before = _flat(buffers)
        yield
        mine = _flat(buffers)
        of_each = [torch.empty_like(mine) for _ in range(self.share.count)]
        dist.all_gather(of_each, mine)
        momentum = norms[0].momentum or 0.0
        kept = (1 - momentum) ** (bn_parts // self.share.count)
        together = before
        for one in of_each:
            together = kept * together + (one - kept * before)
        _spread(together, buffers)
        for norm in norms:
            if norm.num_batches_tracked is not None:
                norm.num_batches_tracked += bn_parts - bn_parts // self.share.count


SINGLE = WorkerGroup()


class InParts(nn.Module):
    """A network that sees a batch in equal parts, one after the other, so that BN normalises each by itself."""

    def __init__(self, network: nn.Module, parts: int) -> None:
        super().__init__()
        self.network, self.parts = network, parts

    def forward(self, pictures: Tensor) -> Tensor:
        if self.parts == 1:
            logits: Tensor = self.network(pictures)
            return logits
        return torch.cat([self.network(part) for part in pictures.chunk(self.parts)])


def _flat(buffers: list[Tensor]) -> Tensor:
    return torch.cat([buffer.flatten() for buffer in buffers])


def _spread(flat: Tensor, buffers: list[Tensor]) -> None:
    """The inverse of `_flat`."""
    for buffer, values in zip(
        buffers, torch.split(flat, [buffer.numel() for buffer in buffers]), strict=True
    ):
        buffer.copy_(values.view_as(buffer))


@contextmanager
def init_distributed(config: Config) -> Iterator[WorkerGroup]:
    """This process among those that torchrun has started, or alone. Raises ConfigError."""
    if not dist.is_torchelastic_launched():
        yield SINGLE
        return
    count, local = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_RANK"])
    if config.model.bn_parts % count:
        raise ConfigError(
            f"model.bn_parts: {config.model.bn_parts} is not allowed with {count} processes, since each normalises its"
            f" share of a batch by itself; allowed: {count} and multiples of it"
        )
    backend = "gloo"
    if choose_device(config.device).type == "cuda":
        if local >= torch.cuda.device_count():
            raise ConfigError(
                f"device: there are {torch.cuda.device_count()} GPUs here; allowed: a process a GPU"
            )
        torch.cuda.set_device(local)
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, timeout=PATIENCE)
    try:
        yield WorkerGroup(Shard(int(os.environ["RANK"]), count))
    finally:
        dist.destroy_process_group()
