"""A training step and an evaluation can be captured in CUDA graphs, and replays change no number.

There is no GPU: a capturer of operations stands in for CUDA graphs, and fake tensors for the GPU's.
"""

import logging

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

from degradation.data.datasets import load_dataset
from degradation.models.error_counts import count_batch_errors
from degradation.optimizers import base
from degradation.training import cuda_graph, serialization
from degradation.training.cuda_graph import WARM_UP_CALLS, ReplayedCall
from degradation.training.device import autocast
from degradation.training.events import Metrics
from degradation.training.trainer import Trainer, fit
from tests.support.captured_operations import OperationCapturer

CPU = torch.device("cpu")
WARMUP = (
    "schedule=paper",
    "schedule.iterations=12",
    "schedule.milestones=[8]",
    "schedule.snapshots=[]",
    "schedule.evaluate_every=4",
    "schedule.warmup.from_depth=8",
    "schedule.warmup.below=null",
    "schedule.warmup.max_iterations=6",
)


@pytest.fixture(scope="module")
def digits(compose_config):
    return load_dataset(compose_config().data)


@pytest.fixture
def fused(monkeypatch):
    """Updates as on a CUDA GPU: fused, with the learning rate in a tensor."""
    monkeypatch.setattr(base, "FUSED_DEVICES", ("cpu",))


@pytest.fixture
def capturer(monkeypatch, fused):
    """The capturer that every trainer gets."""
    capturer = OperationCapturer()
    monkeypatch.setattr(cuda_graph, "build_capturer", lambda _device: capturer)
    return capturer


def finish(trainer):
    """Train to the end, and return the rows and the state as plain values."""
    rows = [event.row for event in fit(trainer) if isinstance(event, Metrics)]
    return rows, tree_map(to_plain, trainer.state())


def to_plain(value):
    return (str(value.dtype), value.tolist()) if isinstance(value, torch.Tensor) else value


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize(
    "keys",
    [
        (),
        WARMUP,
        ("optim.momentum_form=caffe", "optim.decay=weights", "data.flip=true"),
        ("optim=adamw", "schedule=cosine", "schedule.iterations=12", "schedule.milestones=[]"),
        ("model=plain", "model.bn_parts=2"),
        ("precision=bf16",),
    ],
    ids=str,
)
def test_replays_equal_eager_steps(tiny, digits, capturer, keys):
    """Losses, errors, weights, moving averages, learning rates that change, and the optimiser."""
    expected = finish(Trainer(tiny(*keys, "cuda_graphs=false"), digits, CPU))
    assert capturer.graphs == []
    replayed = finish(Trainer(tiny(*keys), digits, CPU))
    assert replayed == expected
    step, evaluation = sorted(capturer.graphs, key=lambda graph: len(graph.calls), reverse=True)
    assert step.replays == 12 - WARM_UP_CALLS
    assert evaluation.replays > 0


def test_restored_state_is_captured_again(tiny, digits, capturer):
    """A graph holds the addresses of tensors that a restored state replaces."""
    trainer = Trainer(tiny(), digits, CPU)
    for _ in range(6):
        trainer.step()
    content = serialization.dump(trainer.state())
    expected = finish(trainer)
    trainer.restore(serialization.load(content))
    assert finish(trainer) == expected
    resumed = Trainer(tiny(), digits, CPU)
    resumed.restore(serialization.load(content))
    assert finish(resumed) == expected


def test_divergence_is_noticed_in_replays(tiny, digits, capturer):
    trainer = Trainer(tiny(), digits, CPU)
    for _ in range(6):
        trainer.step()
    with torch.no_grad():
        next(trainer.network.parameters()).fill_(torch.nan)
    for _ in range(3):
        trainer.step()
    assert trainer.sums.diverged_at.item() == 7


def test_step_that_cannot_be_captured_is_logged_once(tiny, digits, capturer, monkeypatch, caplog):
    def refuse(_function):
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    expected = finish(Trainer(tiny("cuda_graphs=false"), digits, CPU))
    monkeypatch.setattr(capturer, "capture", refuse)
    with caplog.at_level(logging.WARNING):
        assert finish(Trainer(tiny(), digits, CPU)) == expected
    (message,) = [text for text in caplog.messages if "training step" in text]
    assert "operation not permitted when stream is capturing" in message
    assert "\n" not in message


def test_inputs_of_other_shapes_are_not_replayed():
    capturer = OperationCapturer()
    double = ReplayedCall(capturer, "doubling")
    for size in (3, 3, 3, 3, 2, 3):
        values = torch.rand(size)
        (doubled,) = double(lambda x: (2 * x,), values)
        assert torch.equal(doubled, 2 * values)
    (graph,) = capturer.graphs
    assert graph.replays == 2


def test_shape_is_captured_after_its_own_warm_up():
    """cuDNN chooses its algorithms for each shape; doing so during a capture would fail."""
    capturer = OperationCapturer()
    double = ReplayedCall(capturer, "doubling")
    for size in (3, 3, 2, 3, 2, 2, 3):
        double(lambda x: (2 * x,), torch.rand(size))
    (graph,) = capturer.graphs
    assert graph.replays == 1
    assert double._inputs[0].shape == (3,)


def test_first_error_of_a_capture_is_reported(caplog):
    class EndingFails(OperationCapturer):
        def capture(self, function):
            try:
                return super().capture(function)
            finally:
                raise RuntimeError("operation failed due to a previous error during capture")

    def read_value(values):
        raise ValueError("operation not permitted when stream is capturing\nmore")

    call = ReplayedCall(EndingFails(), "a step")
    call._warm_up_calls[(torch.Size([2]),)] = WARM_UP_CALLS
    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match="not permitted"):
        call(read_value, torch.zeros(2))  # the eager call that follows raises it too
    assert call.problem == (
        "RuntimeError: operation failed due to a previous error during capture,"
        " after ValueError: operation not permitted when stream is capturing"
    )
    assert call.problem in caplog.messages[0]


@pytest.mark.parametrize("keys", [("model.bn_parts=2",), ("cuda_graphs=false",)], ids=str)
def test_no_graphs_on_a_cpu(tiny, digits, keys):
    trainer = Trainer(tiny(*keys), digits, CPU)
    assert trainer.replayed_update.capturer is None


class Synchronisations(TorchDispatchMode):
    """Counts what would make the CPU wait for a GPU."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func._schema.name.removeprefix("aten::")
        devices = {arg.device for arg in args if isinstance(arg, torch.Tensor)}
        target = (kwargs or {}).get("device")
        devices |= set() if target is None else {target}
        is_copy = name in ("_to_copy", "copy_") and len(devices) > 1
        if name in ("_local_scalar_dense", "item", "nonzero", "is_nonzero", "equal") or is_copy:
            self.names.append(name)
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("keys", [(), ("precision=bf16", "data.flip=true")], ids=str)
def test_step_has_no_synchronisation(tiny, digits, fused, keys):
    trainer = Trainer(tiny(*keys, "schedule.milestones=[2]"), digits, CPU)
    with Synchronisations() as seen:
        for _ in range(4):
            trainer.step()
    # the draws of a block are sent to the device once
    assert seen.names == []


def test_warmup_synchronises_once_per_step(tiny, digits, fused):
    trainer = Trainer(tiny(*WARMUP), digits, CPU)
    with Synchronisations() as seen:
        for _ in range(9):
            trainer.step()
    assert seen.names == ["_local_scalar_dense"] * 6


def test_evaluation_reads_no_value_per_batch(tiny, digits):
    """The sums of a split are read together, as a list, which this does not count."""
    trainer = Trainer(tiny(), digits, CPU)
    with Synchronisations() as seen:
        trainer.measure_metrics()
    assert seen.names == []


def place_on(trainer, device):
    """Replace the tensors of a trainer's network and images by fake ones on a device."""

    def move(tensor):
        return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device=device)

    for module in trainer.network.modules():
        for name, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[name] = nn.Parameter(move(parameter))
        for name, buffer in module._buffers.items():
            module._buffers[name] = move(buffer)
    images = trainer.loader.splits["train"]
    for name, value in vars(images).items():
        if isinstance(value, torch.Tensor):
            setattr(images, name, move(value))
    images.device = trainer.loader.device = torch.device(device)


@pytest.mark.parametrize(
    "keys",
    [
        ("model.shortcut=B",),
        ("model=preactivation",),
        ("data.normalise=after_padding", "data.pad=0"),
    ],
    ids=str,
)
def test_operands_are_on_one_device(tiny, digits, keys):
    """Fake tensors refuse operands of two devices, and values that only the GPU knows."""
    trainer = Trainer(tiny(*keys, "data.flip=true"), digits, CPU)
    with FakeTensorMode(allow_non_fake_inputs=False):
        place_on(trainer, "cuda:0")
        draws = torch.empty(4, 32, dtype=torch.int64, device="cuda:0")
        images, labels = trainer.loader.compute_batch((draws,))
        loss = nn.functional.cross_entropy(trainer.network(images), labels)
        assert (images.device, loss.device) == (torch.device("cuda:0"),) * 2
        counts = count_batch_errors(trainer.network(images), labels)
        assert {count.device for count in counts} == {torch.device("cuda:0")}


@pytest.mark.parametrize("keys", [(), ("precision=bf16", "data.flip=true")], ids=str)
def test_forward_and_backward_need_no_value(tiny, digits, keys):
    """Fake tensors have no values. Here their device is the CPU, since without a GPU the backward
    pass of a fake one does not start."""
    trainer = Trainer(tiny(*keys), digits, CPU)
    (draws,) = next(trainer.inputs)
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    with mode, autocast(CPU, trainer.config.precision):
        images, labels = trainer.loader.compute_batch((mode.from_tensor(draws),))
        logits = trainer.network(images)
        loss_sum, wrong, wrong_top5 = count_batch_errors(logits.float(), labels)
        loss_sum.backward()
    assert (loss_sum.shape, wrong.shape, wrong_top5.shape) == ((), (), ())


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("keys", [(), ("model=preactivation", "data.flip=true")], ids=str)
def test_forward_and_augmentation_trace_as_one_graph(tiny, digits, keys):
    """A branch on a value, or one on data, would break the graph, which `fullgraph` refuses."""
    trainer = Trainer(tiny(*keys), digits, CPU)

    def compute(draws):
        images, labels = trainer.loader.compute_batch((draws,))
        logits = trainer.network(images)
        return nn.functional.cross_entropy(logits, labels), (logits.argmax(1) != labels).sum()

    (draws,) = next(trainer.inputs)
    traced = torch.compile(compute, backend="eager", fullgraph=True)
    assert torch.equal(traced(draws)[0], compute(draws)[0])


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    "keys", [(), ("precision=bf16", "data.flip=true"), ("optim=adamw", "model=plain")], ids=str
)
def test_whole_step_is_one_graph(tiny, digits, fused, keys):
    """With the backward pass, the update and the sums; tracing refuses a value that Python reads.

    The graph's own run at another learning rate gives the numbers of an eager step.
    """
    traced, eager = (Trainer(tiny(*keys), digits, CPU) for _ in range(2))
    for trainer in (traced, eager):
        for _ in range(2):  # which create the optimiser's state
            trainer.step()
    (draws,) = next(traced.inputs)
    graph = make_fx(traced._update_weights)(draws)  # does the step, too
    eager._update_weights(draws)
    for trainer in (traced, eager):
        trainer.optimizer.set_learning_rate(0.003)
    (draws,) = next(traced.inputs)
    with torch.no_grad():  # the graph has the operations of the backward pass itself
        (wrong,) = graph(draws)
    (expected,) = eager._update_weights(draws)
    assert torch.equal(wrong, expected)
    assert tree_map(to_plain, traced.state()) == tree_map(to_plain, eager.state())
