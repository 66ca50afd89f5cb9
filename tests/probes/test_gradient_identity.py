import pytest
import torch

from degradation.models.batchnorm import batch_statistics
from degradation.probes.block_gradients import BlockGradients, loss_through_blocks
from degradation.probes.gradient_identity import measure_gradient_identity

DEPTHS = {"basic": 14, "bottleneck": 20}
NETWORKS = [
    {"order": order, "shortcut": shortcut, "block": block, "depth": DEPTHS[block]}
    for order in ("post", "pre")
    for shortcut in ("A", "B", "C")
    for block in DEPTHS
]


@pytest.mark.parametrize("keys", NETWORKS, ids=lambda keys: "-".join(map(str, keys.values())))
def test_both_sides_of_the_equation_agree(build_network, batch, keys):
    """Blocks of 2015 with their masks, changes of shape, and stages of pre-activation networks."""
    table = measure_gradient_identity(build_network(**keys), *batch)
    assert max(table["relative_difference"]) < 1e-13
    forms = list(zip(table["form"], table["shape_change"], strict=True))
    assert ("block", True) in forms
    assert ("block", False) in forms
    rows = zip(table["form"], table["block"], strict=True)
    stage_rows = [block for form, block in rows if form == "stage"]
    # from each block that no change of shape follows within its stage
    identities = [0, 1, 3, 5] if keys["block"] == "basic" else [1, 3, 5]
    has_stages = keys["order"] == "pre" and keys["shortcut"] != "C"
    assert stage_rows == (identities if has_stages else [])


def test_gradient_terms_by_hand(linear):
    table = measure_gradient_identity(
        linear([(0.5, 2.0), (3.0, 0.25)], residual=True),
        torch.full((1, 1, 1, 1), 0.3),
        torch.tensor([0]),
    )
    assert table["form"] == ["block", "block", "stage", "stage"]
    factors = [
        1.0,
        0.75,
        1.75 * 2 - 1,
        0.75,
    ]  # those of the convolutions' term; the shortcut's is 1
    for row, factor in enumerate(factors):
        after = table["by_shortcut"][row]
        assert table["by_convolutions"][row] == pytest.approx(factor * after)
        assert table["gradient"][row] == pytest.approx((1 + factor) * after)
        assert table["shortcut_share"][row] == pytest.approx(1 / (1 + factor))


def test_zero_blocks_pass_the_gradient_by_the_shortcut(build_network, batch):
    network = build_network(order="pre", depth=14)
    with torch.no_grad():
        for block in network.blocks():
            block.conv2.weight.zero_()
    table = measure_gradient_identity(network, *batch)
    assert table["shortcut_share"] == pytest.approx([1.0] * len(table["block"]))
    assert table["by_convolutions"] == [0.0] * len(table["block"])


def test_equation_fails_without_the_relu_mask(build_network, batch):
    """The check can fail: the ReLU after the addition must not be omitted."""
    network = build_network()
    with batch_statistics(network):
        loss, inputs = loss_through_blocks(network, *batch)
        gradients = torch.autograd.grad(loss, inputs)
        terms = BlockGradients(next(network.blocks()), inputs[0])
        terms.mask = None
        wrong = terms.by_shortcut(gradients[1]) + terms.by_convolutions(gradients[1])
    assert (wrong - gradients[0]).norm() > 0.1 * gradients[0].norm()


def test_shares_of_the_two_terms_add_up_to_one(build_network, batch):
    network = build_network()
    table = measure_gradient_identity(network, *batch)
    with batch_statistics(network):
        loss, inputs = loss_through_blocks(network, *batch)
        gradients = torch.autograd.grad(loss, inputs)
        for number, block in enumerate(network.blocks()):
            terms = BlockGradients(block, inputs[number])
            by_convolutions = terms.by_convolutions(gradients[number + 1])
            share = (by_convolutions * gradients[number]).sum() / gradients[number].square().sum()
            assert share.item() + table["shortcut_share"][number] == pytest.approx(1)
