"""How many runs fit into a GPU, from an estimate that is checked by hand."""

from dataclasses import replace

import pytest
import torch

from degradation.sweep import gpu_memory
from degradation.sweep.gpu_memory import count_fitting_runs, estimate_bytes

GIGABYTE = 2**30


@pytest.fixture
def use_gpus(monkeypatch):
    """Return a function that sets the memory of the GPUs, in GiB, and what is in use of each."""

    def use(*sizes, used=0):
        monkeypatch.setattr(torch.cuda, "device_count", lambda: len(sizes))
        monkeypatch.setattr(
            torch.cuda,
            "mem_get_info",
            lambda gpu: ((sizes[gpu] - used) * GIGABYTE, sizes[gpu] * GIGABYTE),
        )

    return use


@pytest.fixture
def residual(compose_config):
    """Return a function: depth, changes -> configuration of a residual network on CIFAR-10."""
    config = compose_config("data=cifar10")
    return lambda depth, **changes: replace(
        config, model=replace(config.model, depth=depth), **changes
    )


def test_estimate_is_the_sum_of_its_parts(residual):
    """ResNet-20: outputs of 7, 6 and 6 convolutions with 16,384, 8,192 and 4,096 values."""
    activations = 7 * 16_384 + 6 * 8_192 + 6 * 4_096 + 10 + 3_072
    values = 4 * 269_722 + 6 * activations * 128 + 25 * (16_384 + 3_072) * 2_500
    assert estimate_bytes(residual(20)) == GIGABYTE + 70_000 * 3_072 + 4 * values


def test_smaller_images_need_less(residual):
    """Every map of 16x16 images has a quarter of the values, and a batch has 4 times the images."""
    config = residual(20)
    activations = (7 * 16_384 + 6 * 8_192 + 6 * 4_096) // 4 + 10 + 768
    values = 4 * 269_722 + 6 * activations * 128 + 25 * (4_096 + 768) * 10_000
    small = residual(20, data=replace(config.data, size=16))
    assert estimate_bytes(small) == GIGABYTE + 70_000 * 768 + 4 * values


def test_larger_runs_need_more(residual):
    config = residual(20)
    optim = config.optim
    need = estimate_bytes(config)
    assert estimate_bytes(residual(110)) > need
    assert estimate_bytes(residual(20, optim=replace(optim, batch_size=256))) > need
    assert estimate_bytes(residual(20, optim=replace(optim, name="adam"))) > need


def test_largest_run_on_the_smallest_gpu_counts(residual, use_gpus):
    shallow, deep = residual(20), residual(110)
    use_gpus(80, 40)
    usable = 0.9 * 40 * GIGABYTE
    assert count_fitting_runs([shallow]) == int(usable / estimate_bytes(shallow))
    expected = int(usable / estimate_bytes(deep))
    assert count_fitting_runs([shallow, deep, shallow]) == expected
    assert 4 <= expected < count_fitting_runs([shallow])
    use_gpus(1)
    assert count_fitting_runs([deep]) == 1


def test_memory_of_other_processes_is_not_used(residual, use_gpus):
    config = residual(20)
    use_gpus(80, used=2)
    assert count_fitting_runs([config]) == int(0.9 * 80 * GIGABYTE / estimate_bytes(config))
    use_gpus(80, used=50)
    assert count_fitting_runs([config]) == int(30 * GIGABYTE / estimate_bytes(config))
    use_gpus(80, used=79.9)
    assert count_fitting_runs([config]) == 1


def test_equal_networks_are_estimated_once(residual, use_gpus, monkeypatch):
    use_gpus(40)
    estimated = []
    monkeypatch.setattr(
        gpu_memory, "estimate_bytes", lambda config: estimated.append(config) or GIGABYTE
    )
    assert count_fitting_runs([residual(20, seed=seed) for seed in range(5)]) == 36
    assert len(estimated) == 1


def test_unknown_memory_is_not_guessed(residual, use_gpus):
    use_gpus()
    assert count_fitting_runs([residual(20)]) is None
    use_gpus(40)
    assert count_fitting_runs([]) is None
    config = residual(20)
    own = replace(config, model=replace(config.model, block="own.py:Block"))
    folder = residual(20, data=replace(config.data, name="image_folder"))
    for unknown in (folder, own):
        assert estimate_bytes(unknown) is None
        assert count_fitting_runs([config, unknown]) is None


def test_estimate_covers_what_was_reserved(residual):
    """An H200 reserved 4,494 MiB for residual-20 in fp32, besides the context of CUDA."""
    assert estimate_bytes(residual(20)) > (4_494 + 512) * 2**20
