import pytest
import torch

from degradation.data.random_streams import build_generator
from degradation.probes.lesions import measure_lesions

FLIP = [
    (1.0, 0.5),
    (1.0, -2.0),
    (1.0, 0.5),
]  # f: the second block alone changes the sign, with a shortcut and without


def rows(table):
    return [dict(zip(table, values, strict=True)) for values in zip(*table.values(), strict=True)]


@pytest.mark.parametrize("residual", [True, False])
def test_a_net_with_one_block_that_matters_by_hand(linear, residual):
    pictures, labels = torch.full((6, 1, 1, 1), 0.3), torch.ones(6, dtype=torch.int64)
    found = rows(
        measure_lesions(
            linear(FLIP, residual), pictures, labels, build_generator(0, "lesions"), repeats=12
        )
    )
    assert [row["error"] for row in found if row["kind"] == "none"] == [0.0]
    alone = {
        row["block"]: row["error"]
        for row in found
        if row["kind"] == "delete" and row["number"] == 1
    }
    assert alone == {0: 0.0, 1: 100.0, 2: 0.0}
    pairs = [row["error"] for row in found if row["kind"] == "delete" and row["number"] == 2]
    assert set(pairs) == {0.0, 100.0}  # with the second block or without it
    assert {row["error"] for row in found if row["kind"] == "delete" and row["number"] == 3} == {
        100.0
    }
    swaps = [row["error"] for row in found if row["kind"] == "swap"]
    assert swaps == [0.0] * len(swaps)  # numbers commute
    assert len(swaps) == 12 * 3


def test_zero_blocks_can_be_deleted_and_swapped_at_no_cost(network, batch):
    net = network(depth=14).eval()
    with torch.no_grad():
        for block in net.blocks():
            block.conv1.weight.zero_()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    found = rows(measure_lesions(net, *batch, build_generator(0, "lesions")))
    assert len({row["error"] for row in found}) == 1
    assert {row["block"] for row in found if row["block"] is not None} == set(range(6))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_plain_block_that_changes_the_shape_cannot_be_deleted(network, batch):
    found = rows(
        measure_lesions(network(depth=14, shortcut="none"), *batch, build_generator(0, "lesions"))
    )
    assert {row["block"] for row in found if row["block"] is not None} == {0, 1, 3, 5}
    assert max(row["number"] for row in found) == 4


def test_a_block_that_has_no_other_of_its_stage_is_not_swapped(network, batch):
    """Of 14 layers the first stage alone has two blocks that keep the shape: their swap is the only one."""
    found = rows(measure_lesions(network(depth=14), *batch, build_generator(0, "lesions")))
    assert {row["number"] for row in found if row["kind"] == "swap"} == {1, 2}
    single = {row["error"] for row in found if row["kind"] == "swap" and row["number"] == 1}
    assert len(single) == 1
    none = rows(measure_lesions(network(depth=8), *batch, build_generator(0, "lesions")))
    assert not [row for row in none if row["kind"] == "swap"]


def test_swaps_stay_within_a_stage_and_so_fit(network, batch):
    net = network(depth=20)
    found = rows(measure_lesions(net, *batch, build_generator(1, "lesions")))
    assert len({row["error"] for row in found if row["kind"] == "swap"}) > 1
    again = rows(measure_lesions(net, *batch, build_generator(1, "lesions")))
    assert found == again


@torch.no_grad()
def test_a_deleted_block_keeps_its_shortcut_and_last_relu(network):
    """Its shortcut turns the sign, so ReLU leaves zeros; then the bias decides, and without ReLU the sign would."""
    net = network(shortcut="B").eval()
    last = list(net.blocks())[-1]
    last.downsample[0].weight.zero_()[:, 0] = -1.0
    net.fc.weight.zero_()[1] = -1.0  # the second class likes what is negative
    net.fc.bias.zero_()[0] = 1e-3
    pictures, labels = (
        torch.rand(6, 1, 8, 8, dtype=torch.float64),
        torch.zeros(6, dtype=torch.int64),
    )
    seen = []
    hook = last.downsample.register_forward_hook(lambda _m, _i, output: seen.append(output))
    found = rows(measure_lesions(net, pictures, labels, build_generator(0, "lesions")))
    hook.remove()
    assert all(bool((output.mean((2, 3)).sum(1) < -1e-3).all()) for output in seen)
    assert [row["error"] for row in found if row["block"] == 2] == [0.0]


@torch.no_grad()
@pytest.mark.parametrize("order", ["post", "pre"])
def test_deleted_blocks_are_what_their_shortcut_gives(network, batch, order):
    """Every block alone, measured again with its convolutions at zero: in both orders, over projections too."""
    net = network(depth=14, shortcut="B", order=order).eval()
    images = batch[0]
    labels = net(images).argmax(1)
    found = rows(measure_lesions(net, images, labels, build_generator(0, "lesions")))
    alone = {row["block"]: row["error"] for row in found if row["block"] is not None}
    expected = {}
    for number, block in enumerate(net.blocks()):
        hook = block.conv2.register_forward_hook(lambda _m, _i, output: torch.zeros_like(output))
        expected[number] = 100 * (net(images).argmax(1) != labels).double().mean().item()
        hook.remove()
    assert alone == expected
    assert len(set(alone.values())) > 1
