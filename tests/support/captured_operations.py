"""A stand-in for a CUDA graph on the CPU: it captures PyTorch's operations, and repeats them.

As with a CUDA graph, capturing changes no tensor, and a replay reads and writes the tensors of the
capture and runs no Python code of the function. So Python values are frozen, and tensors that
have been replaced since are not seen.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

MOVING_AVERAGES = (3, 4)  # arguments that native_batch_norm writes although its schema hides it


class CapturedOperations(TorchDispatchMode):
    """Captures the operations within its context, those of autograd included."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self.replays = 0
        self._before: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for tensor in written_tensors(func, args, kwargs):
            self._before.setdefault(id(tensor), (tensor, tensor.detach().clone()))
        output = func(*args, **kwargs)
        self.calls.append((func, args, kwargs, output))
        return output

    def undo(self) -> None:
        """Restore what the captured operations have changed."""
        with torch.no_grad():
            for tensor, value in reversed(self._before.values()):
                tensor.copy_(value)

    def replay(self) -> None:
        self.replays += 1
        with torch.no_grad():
            for func, args, kwargs, captured in self.calls:
                output = func(*args, **kwargs)
                for old, new in zip(tree_leaves(captured), tree_leaves(output), strict=True):
                    # a view of a captured tensor is up to date already
                    if isinstance(old, Tensor) and old.data_ptr() != new.data_ptr():
                        old.copy_(new)


def written_tensors(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Return the arguments that an operation changes."""
    written = []
    for number, argument in enumerate(func._schema.arguments):
        value = args[number] if number < len(args) else kwargs.get(argument.name)
        is_hidden = "batch_norm" in str(func) and number in MOVING_AVERAGES
        if is_hidden or (argument.alias_info is not None and argument.alias_info.is_write):
            written += [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
    return written


class OperationCapturer:
    """Captures with `CapturedOperations` where a GPU would capture CUDA graphs."""

    def __init__(self) -> None:
        self.graphs: list[CapturedOperations] = []

    def warm_up(self, function: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        return function()

    def capture(
        self, function: Callable[[], tuple[Tensor, ...]]
    ) -> tuple[CapturedOperations, tuple[Tensor, ...]]:
        graph = CapturedOperations()
        with graph:
            outputs = function()
        graph.undo()
        self.graphs.append(graph)
        return graph, outputs
