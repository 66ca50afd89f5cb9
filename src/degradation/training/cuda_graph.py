"""Capture a function of tensors in a CUDA graph, and replay it.

A network of small images launches hundreds of kernels per iteration, each of which takes the CPU
longer to launch than the GPU to run. A CUDA graph launches them all at once
(https://pytorch.org/docs/stable/notes/cuda.html#cuda-graphs). It repeats the same kernels on the
same memory, so replays give the numbers of eager calls.
"""

import gc
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor, nn

from degradation.config import Config
from degradation.config.architecture import is_built_in
from degradation.errors import format_exception_line
from degradation.models.random_draws import is_random
from degradation.optimizers.base import ScheduledOptimizer
from degradation.training.distributed import WorkerGroup

log = logging.getLogger(__name__)

Outputs = TypeVar("Outputs", bound=tuple[Tensor, ...])

# Calls with the same shapes before a function is captured. They do what a capture must not contain:
# create the optimiser's state, load libraries, and choose cuDNN's algorithms, which it repeats for
# every shape.
WARM_UP_CALLS = 3


class Graph(Protocol):
    """Kernels that have been captured; `torch.cuda.CUDAGraph` is one."""

    def replay(self) -> None:
        """Launch all of them."""
        ...


class GraphCapturer(Protocol):
    """Captures what a function does; `CudaGraphCapturer` on a GPU, a stand-in in tests."""

    def warm_up(self, function: Callable[[], Outputs]) -> Outputs:
        """Call a function that will be captured later."""
        ...

    def capture(self, function: Callable[[], Outputs]) -> tuple[Graph, Outputs]:
        """Capture a call without executing it; a replay writes the tensors that are returned."""
        ...


class CudaGraphCapturer:
    """Captures CUDA graphs on the current device. All that it captures shares one memory pool.

    Sharing is safe because replays follow one another on one stream, and nothing in the pool is
    read after another graph's replay: callers copy a replay's outputs before the next one, and the
    next update overwrites the gradients. What outlives a replay, such as weights, BN's moving
    averages and the optimiser's state, was allocated before, outside the pool.
    """

    def __init__(self) -> None:
        self.stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()

    def warm_up(self, function: Callable[[], Outputs]) -> Outputs:
        """Call the function on the stream on which it will be captured, as PyTorch requires."""
        current = torch.cuda.current_stream()
        self.stream.wait_stream(current)
        with torch.cuda.stream(self.stream):
            outputs = function()
        current.wait_stream(self.stream)
        return outputs

    def capture(self, function: Callable[[], Outputs]) -> tuple[Graph, Outputs]:
        """Capture a call. If this raises, no kernel has run, so the call can be made eagerly."""
        current = torch.cuda.current_stream()
        graph = torch.cuda.CUDAGraph()
        # Collecting garbage during a capture could free what is on the GPU, which CUDA may
        # refuse then. And a probe's autograd graph that is still alive would tie the gradients of
        # the weights to the stream of the probe, which must have no part in a capture.
        gc.collect()
        collects_garbage = gc.isenabled()
        gc.disable()
        try:
            # other threads, such as those of W&B, may use the GPU meanwhile
            with torch.cuda.graph(
                graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"
            ):
                outputs = function()
        finally:
            if collects_garbage:
                gc.enable()
            # if ending the capture fails, the context above does not restore the stream
            torch.cuda.set_stream(current)
        return graph, outputs


class ReplayedCall:
    """Calls of one function of tensors, which are captured once and then replayed.

    The first shapes that occur more than WARM_UP_CALLS times are captured. Without a capturer, and
    with inputs of other shapes, every call is an eager one. If the capture fails, a line is
    logged, and every later call is an eager one.

    The function reads and writes tensors at fixed addresses, waits for no device, and depends on no
    Python value that changes between calls. It is not stored, so that a method does not keep its
    object, and with it the memory of a GPU, from being freed.

    Args:
        capturer: None on devices without graphs.
        name: what the function does, for the log.

    Attributes:
        problem: why the capture failed, in one line, or None.
    """

    def __init__(self, capturer: GraphCapturer | None, name: str) -> None:
        self.capturer, self.name = capturer, name
        self.problem: str | None = None
        self._warm_up_calls: Counter[tuple[torch.Size, ...]] = Counter()  # by the inputs' shapes
        self._graph: Graph | None = None
        self._inputs: tuple[Tensor, ...] = ()  # the tensors that a replay reads
        self._outputs: tuple[Tensor, ...] = ()  # the tensors that a replay writes

    @property
    def is_captured(self) -> bool:
        """Whether calls are replayed now."""
        return self._graph is not None

    def __call__(self, function: Callable[..., Outputs], *inputs: Tensor) -> Outputs:
        """Return the function's outputs. After a replay, they are valid until the next call."""
        if self._graph is None and self.capturer is not None:
            shapes = tuple(value.shape for value in inputs)
            if self._warm_up_calls[shapes] < WARM_UP_CALLS:
                self._warm_up_calls[shapes] += 1
                return self.capturer.warm_up(partial(function, *inputs))
            self._capture(self.capturer, function, inputs)
        if self._graph is None or not self._fits(inputs):
            return function(*inputs)
        for captured, value in zip(self._inputs, inputs, strict=True):
            captured.copy_(value)
        self._graph.replay()
        return cast(Outputs, self._outputs)

    def _capture(
        self, capturer: GraphCapturer, function: Callable[..., Outputs], inputs: tuple[Tensor, ...]
    ) -> None:
        """Capture a call with inputs of these shapes, or give up capturing."""
        self._inputs = tuple(value.clone() for value in inputs)
        try:
            self._graph, self._outputs = capturer.capture(partial(function, *self._inputs))
        except Exception as error:  # whatever an operation raises that cannot be captured
            self.problem = _describe(error)
            log.warning(
                "%s cannot be captured in a CUDA graph, and takes longer without one (%s)",
                self.name,
                self.problem,
            )
            self.capturer = None

    def _fits(self, inputs: tuple[Tensor, ...]) -> bool:
        shapes = [value.shape for value in inputs]
        return shapes == [value.shape for value in self._inputs]


def _describe(error: BaseException) -> str:
    """Return one line about why a capture failed.

    Ending an interrupted capture raises too, which says less than the error that came before.
    """
    line = format_exception_line(error)
    return line if error.__context__ is None else f"{line}, after {_describe(error.__context__)}"


def find_capturer(
    config: Config,
    network: nn.Module,
    optimizer: ScheduledOptimizer,
    group: WorkerGroup,
    device: torch.device,
) -> GraphCapturer | None:
    """Return what captures CUDA graphs, or None if this run's steps cannot be replayed.

    Only a GPU has graphs. Processes that share a run communicate in every step; code of the user's
    own may depend on values that a graph would freeze; and draws need a new seed for every step.
    """
    can_replay = (
        config.cuda_graphs
        and optimizer.has_device_rate
        and group.is_single
        and is_built_in(config.model)
        and not is_random(network)
    )
    return build_capturer(device) if can_replay else None


def build_capturer(device: torch.device) -> GraphCapturer | None:
    """Return what captures calls on a device, or None if it has no graphs."""
    return CudaGraphCapturer() if device.type == "cuda" else None
