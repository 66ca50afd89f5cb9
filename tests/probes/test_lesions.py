import pytest
import torch

from degradation.data.random_streams import build_generator
from degradation.probes.lesions import measure_lesions

# f of each block: the second block alone changes the sign, with a shortcut and without
FLIP = [(1.0, 0.5), (1.0, -2.0), (1.0, 0.5)]


def lesion_rows(network, images, labels, seed=0, **options):
    """Return the table of lesions as one dictionary per row."""
    table = measure_lesions(network, images, labels, build_generator(seed, "lesions"), **options)
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


def errors(rows, kind, number):
    return [row["error"] for row in rows if row["kind"] == kind and row["number"] == number]


def errors_alone(rows):
    """Return {block: error} of the blocks that are deleted alone."""
    return {row["block"]: row["error"] for row in rows if row["block"] is not None}


@pytest.mark.parametrize("residual", [True, False])
def test_lesions_of_one_vital_block_by_hand(linear, residual):
    images, labels = torch.full((6, 1, 1, 1), 0.3), torch.ones(6, dtype=torch.int64)
    rows = lesion_rows(linear(FLIP, residual), images, labels, repeats=12)
    assert errors(rows, "none", 0) == [0.0]
    assert errors_alone(rows) == {0: 0.0, 1: 100.0, 2: 0.0}
    assert set(errors(rows, "delete", 2)) == {0.0, 100.0}  # with the second block or without it
    assert set(errors(rows, "delete", 3)) == {100.0}
    swaps = [row["error"] for row in rows if row["kind"] == "swap"]
    assert swaps == [0.0] * (12 * 3)  # the factors commute


def test_deleting_or_swapping_zero_blocks_costs_nothing(build_network, batch):
    network = build_network(depth=14).eval()
    with torch.no_grad():
        for block in network.blocks():
            block.conv1.weight.zero_()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rows = lesion_rows(network, *batch)
    assert len({row["error"] for row in rows}) == 1
    assert set(errors_alone(rows)) == set(range(6))
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_plain_block_that_changes_shape_is_not_deleted(build_network, batch):
    rows = lesion_rows(build_network(depth=14, shortcut="none"), *batch)
    assert set(errors_alone(rows)) == {0, 1, 3, 5}
    assert max(row["number"] for row in rows) == 4


def test_single_block_of_a_stage_is_not_swapped(build_network, batch):
    """With 14 layers, only the first stage has two blocks that keep the shape: one swap exists."""
    rows = lesion_rows(build_network(depth=14), *batch)
    assert {row["number"] for row in rows if row["kind"] == "swap"} == {1, 2}
    assert len(set(errors(rows, "swap", 1))) == 1
    without_swaps = lesion_rows(build_network(depth=8), *batch)
    assert not [row for row in without_swaps if row["kind"] == "swap"]


def test_swaps_stay_within_a_stage(build_network, batch):
    """Blocks of different stages would not fit: the forward pass would fail."""
    network = build_network(depth=20)
    rows = lesion_rows(network, *batch, seed=1)
    assert len({row["error"] for row in rows if row["kind"] == "swap"}) > 1
    assert lesion_rows(network, *batch, seed=1) == rows


@torch.no_grad()
def test_deleted_block_keeps_shortcut_and_last_relu(build_network):
    """The shortcut turns the sign, so ReLU leaves zeros and the bias decides the class.

    Without the ReLU the sign would decide, for the other class.
    """
    network = build_network(shortcut="B").eval()
    last = list(network.blocks())[-1]
    last.downsample[0].weight.zero_()[:, 0] = -1.0
    network.fc.weight.zero_()[1] = -1.0  # a negative signal speaks for the second class
    network.fc.bias.zero_()[0] = 1e-3
    images = torch.rand(6, 1, 8, 8, dtype=torch.float64)
    labels = torch.zeros(6, dtype=torch.int64)
    outputs = []
    hook = last.downsample.register_forward_hook(lambda _m, _i, output: outputs.append(output))
    rows = lesion_rows(network, images, labels)
    hook.remove()
    assert all(bool((output.mean((2, 3)).sum(1) < -1e-3).all()) for output in outputs)
    assert errors_alone(rows)[2] == 0.0


@torch.no_grad()
@pytest.mark.parametrize("order", ["post", "pre"])
def test_deleted_block_equals_one_with_zero_convolutions(build_network, batch, order):
    """Each block alone, in both orders, including blocks with projections."""
    network = build_network(depth=14, shortcut="B", order=order).eval()
    images = batch[0]
    labels = network(images).argmax(1)
    deleted = errors_alone(lesion_rows(network, images, labels))
    expected = {}
    for number, block in enumerate(network.blocks()):
        hook = block.conv2.register_forward_hook(lambda _m, _i, output: torch.zeros_like(output))
        expected[number] = 100 * (network(images).argmax(1) != labels).double().mean().item()
        hook.remove()
    assert deleted == expected
    assert len(set(deleted.values())) > 1
