"""The sums over training batches, and the watch for divergence, on the device.

Reading them at every iteration would stall the device, so they are read at evaluations only. All
are changed in place, so that a CUDA graph can repeat the changes.
"""

from typing import Any

import torch
from torch import Tensor


class RunningSums:
    """Sums over the training batches since the last row of metrics.

    Attributes:
        loss: sum of the batches' mean losses.
        wrong: number of misclassified images, int64.
        batches: number of batches; it is counted on the CPU.
        updates: number of updates since the start of the run, int64.
        diverged_at: the first update whose loss was not finite, or 0 if there is none, int64.
    """

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.wrong = torch.zeros((), dtype=torch.int64, device=device)
        self.updates = torch.zeros((), dtype=torch.int64, device=device)
        self.diverged_at = torch.zeros((), dtype=torch.int64, device=device)
        self.batches = 0

    def add(self, loss: Tensor, wrong: Tensor) -> None:
        """Add a batch, except to `batches`; this does not wait for the device."""
        self.updates += 1
        self.loss += loss
        self.wrong += wrong
        is_first = (self.diverged_at == 0) & ~torch.isfinite(loss)
        self.diverged_at.copy_(torch.where(is_first, self.updates, self.diverged_at))

    def reset(self) -> None:
        """Start new sums, after a row of metrics. Updates and divergence are not forgotten."""
        self.loss.zero_()
        self.wrong.zero_()
        self.batches = 0

    def state(self) -> dict[str, Any]:
        """Return the sums under the keys that checkpoints have always used."""
        return {
            "running": [self.loss.clone(), self.wrong.clone(), self.batches],
            "diverged_at": self.diverged_at.clone(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore what `state()` returned, after `state["iteration"]` updates."""
        loss, wrong, self.batches = state["running"]
        self.loss.copy_(loss)
        self.wrong.copy_(wrong)
        self.updates.fill_(state["iteration"])
        self.diverged_at.copy_(state["diverged_at"])
