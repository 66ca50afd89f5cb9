"""Captured and eager trainings are compared, and whatever differs is found.

There is no GPU: a capturer of operations stands in for CUDA graphs, and its replays are disturbed.
"""

from dataclasses import replace

import pytest
import torch

from degradation.graph_check import check as checks
from degradation.graph_check.check import build_check, reduce_check
from degradation.graph_check.comparison import TOLERANCE, compare_steps
from degradation.graph_check.result import GraphComparison
from degradation.optimizers import base
from degradation.training import cuda_graph
from tests.support.captured_operations import OperationCapturer

CPU = torch.device("cpu")


STEP, EVALUATION, RESUMED_STEP = 0, 1, 2  # the captures of a comparison, by their numbers


class DisturbedCapturer(OperationCapturer):
    """Calls `disturb(graph, outputs)` after each replay of one of its captures."""

    def __init__(self, number, disturb):
        super().__init__()
        self.number, self.disturb = number, disturb

    def capture(self, function):
        graph, outputs = super().capture(function)
        if len(self.graphs) - 1 == self.number:
            replay = graph.replay

            def replay_and_disturb():
                replay()
                with torch.no_grad():
                    self.disturb(graph, outputs)

            graph.replay = replay_and_disturb
        return graph, outputs


def scale_a_weight(graph, factor):
    """Multiply the first weights that a captured step updates by a number."""
    (update,) = [arguments for func, arguments, _, _ in graph.calls if "_fused_" in str(func)]
    update[0][0].mul_(factor)


@pytest.fixture
def use_capturer(monkeypatch):
    """Return a function that makes every trainer use a capturer, and updates be as on a GPU."""
    monkeypatch.setattr(base, "FUSED_DEVICES", ("cpu",))
    monkeypatch.setattr(checks, "IMAGES", 32)

    def use(capturer):
        monkeypatch.setattr(cuda_graph, "build_capturer", lambda _device: capturer)
        return capturer

    return use


@pytest.fixture
def small_check(compose_config):
    """The check of a tiny network, whose training is shortened."""
    config = compose_config("model=plain", "model.depth=8", "model.width=2", "optim.batch_size=8")
    check = build_check(config, 1, 4, 10)
    schedule = replace(check.config.schedule, iterations=10, evaluate_every=5, milestones=[9])
    return replace(check, config=replace(check.config, schedule=schedule))


def with_config(check, **changes):
    return replace(check, config=replace(check.config, **changes))


def test_equal_trainings_are_equal_to_the_bit(use_capturer, small_check):
    capturer = use_capturer(OperationCapturer())
    comparison = compare_steps(small_check, CPU)
    assert comparison.is_equal
    assert comparison.describe_fault() is None
    assert (comparison.difference, comparison.tolerance) == (0.0, 0.0)
    assert (comparison.network, comparison.precision) == ("plain-8", "fp32")
    assert comparison.eager_rate > 0
    assert comparison.captured_rate > 0
    # a step and an evaluation of the first training, and a step of the resumed one
    assert [graph.replays for graph in capturer.graphs] == [7, 3, 2]


def test_replay_that_changes_a_weight_is_found(use_capturer, small_check):
    use_capturer(DisturbedCapturer(STEP, lambda graph, _: scale_a_weight(graph, 1.001)))
    comparison = compare_steps(small_check, CPU)
    assert not comparison.is_training_equal
    assert comparison.difference > 0
    assert comparison.is_evaluation_equal
    assert comparison.describe_fault() == (
        "captured and eager steps of plain-8 in fp32 give different numbers in training, a resumed"
        " training"
    )


def test_fault_after_a_resume_only_is_found(use_capturer, small_check):
    use_capturer(DisturbedCapturer(RESUMED_STEP, lambda graph, _: scale_a_weight(graph, 1.001)))
    comparison = compare_steps(small_check, CPU)
    assert comparison.is_training_equal
    assert not comparison.is_resume_equal
    assert not comparison.is_equal


def test_wrong_evaluation_is_found(use_capturer, small_check):
    use_capturer(DisturbedCapturer(EVALUATION, lambda _, outputs: outputs[0].add_(1)))
    comparison = compare_steps(small_check, CPU)
    assert comparison.is_training_equal
    assert not comparison.is_evaluation_equal
    assert not comparison.is_equal


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    ("error", "is_transient"),
    [
        (RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore"), False),
        (torch.OutOfMemoryError(), True),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("CUDA error: no kernel image is available for execution"), False),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("CUDA error: MPS client failed to connect to the MPS control daemon"), True),
        (RuntimeError("GET was unable to find an engine to execute this computation"), True),
    ],
)
def test_capture_that_raises_is_a_problem_and_not_logged(
    use_capturer, small_check, monkeypatch, caplog, error, is_transient
):
    def refuse(_function):
        raise error

    capturer = use_capturer(OperationCapturer())
    monkeypatch.setattr(capturer, "capture", refuse)
    comparison = compare_steps(small_check, CPU)
    assert comparison.problem.startswith(
        f"a training step cannot be captured ({type(error).__name__}"
    )
    assert "\n" not in comparison.problem
    assert comparison.is_transient == is_transient
    assert caplog.messages == []


def test_training_that_raises_is_a_problem(use_capturer, small_check):
    use_capturer(OperationCapturer())
    comparison = compare_steps(replace(small_check, side=0), CPU)
    assert comparison.problem.startswith("a check of captured steps failed (")
    assert not comparison.is_equal


def test_steps_that_are_never_captured_are_not_called_equal(use_capturer, small_check):
    use_capturer(None)
    assert compare_steps(small_check, CPU).problem == "a training step was never captured"


@pytest.mark.slow
@pytest.mark.parametrize(("factor", "is_equal"), [(1 + 1e-6, True), (1.5, False)])
def test_rounding_is_tolerated_where_algorithms_are_not_deterministic(
    use_capturer, small_check, factor, is_equal
):
    use_capturer(DisturbedCapturer(STEP, lambda graph, _: scale_a_weight(graph, factor)))
    precision = replace(small_check.config.precision, deterministic=False)
    comparison = compare_steps(with_config(small_check, precision=precision), CPU)
    assert comparison.difference > 0
    assert comparison.tolerance == TOLERANCE
    assert comparison.is_equal == is_equal


def test_random_states_and_settings_are_unchanged(use_capturer, small_check):
    use_capturer(OperationCapturer())
    torch.set_num_threads(2)
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    settings = (cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32)
    cudnn.benchmark = not cudnn.benchmark
    try:
        before = torch.get_rng_state()
        precision = replace(small_check.config.precision, deterministic=not settings[1])
        compare_steps(with_config(small_check, precision=precision, threads=1), CPU)
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.get_num_threads() == 2
        assert cudnn.benchmark != settings[0]
        assert (cudnn.deterministic, cudnn.allow_tf32, matmul.allow_tf32) == settings[1:]
    finally:
        cudnn.benchmark = settings[0]


def test_check_before_a_run_is_of_a_shallow_network_on_small_images(compose_config):
    config = compose_config()

    def reduce(depth, side, lr, seed):
        model, optim = replace(config.model, depth=depth), replace(config.optim, lr=lr)
        changed = replace(config, model=model, optim=optim, seed=seed)
        return reduce_check(build_check(changed, 3, side, 10))

    check = reduce(110, 224, 0.3, 3)
    assert (check.network, check.side) == ("residual-20", 32)
    assert reduce(56, 32, 0.1, 4) == check
    assert reduce(14, 32, 0.1, 4).network == "residual-14"


def test_comparison_with_a_problem_is_not_equal():
    comparison = GraphComparison("plain-20", "bf16", "it failed")
    assert not comparison.is_equal
    assert comparison.describe_fault() == "it failed"
