from itertools import combinations

import pytest
import torch

from degradation.data.random_streams import build_generator
from degradation.models.batchnorm import batch_statistics
from degradation.probes.block_gradients import BlockGradients, loss_through_blocks
from degradation.probes.gradient_flow import measure_gradient_flow
from degradation.probes.paths import measure_paths


def test_a_three_block_linear_net_by_hand(linear):
    """Of f = 1/2, 1/4, 1/8: length 1 has their sum, 2 the sum of the products of two, 3 the product."""
    net = linear([(1.0, 0.5), (1.0, 0.25), (1.0, 0.125)], residual=True)
    table = measure_paths(
        net,
        torch.full((1, 1, 1, 1), 0.3),
        torch.tensor([0]),
        build_generator(0, "paths"),
        samples=400,
    )
    last = table["sum_gradient"][0]
    assert table["length"] == [0, 1, 2, 3]
    assert table["paths"] == [1.0, 3.0, 3.0, 1.0]
    sums = [1, 0.5 + 0.25 + 0.125, 0.5 * 0.25 + 0.5 * 0.125 + 0.25 * 0.125, 0.5 * 0.25 * 0.125]
    assert table["sum_gradient"] == pytest.approx([last * one for one in sums])
    assert table["path_gradient"][0] == pytest.approx(last)
    assert table["path_gradient"][3] == pytest.approx(last * sums[3])
    assert (
        last * 0.125 < table["path_gradient"][1] < last * 0.5
    )  # one of the three, three times at most


@pytest.mark.parametrize(
    "keys", [{"order": "post"}, {"order": "pre"}, {"order": "post", "shortcut": "C"}], ids=str
)
def test_the_sum_over_all_paths_of_a_length_is_that_of_all_its_paths_one_by_one(
    network, batch, keys
):
    """And all paths together are the gradient that training uses."""
    net = network(depth=14, **keys)
    table = measure_paths(net, *batch, build_generator(0, "paths"))
    with batch_statistics(net):
        loss, inputs = loss_through_blocks(net, *batch)
        last = torch.autograd.grad(loss, inputs[-1])[0]
        terms = [BlockGradients(block, x) for block, x in zip(net.blocks(), inputs, strict=False)]
        total = torch.zeros_like(inputs[0])
        for length in range(7):
            of_length = torch.zeros_like(inputs[0])
            for chosen in combinations(range(6), length):
                gradient = last
                for number in reversed(range(6)):
                    go = (
                        terms[number].by_convolutions
                        if number in chosen
                        else terms[number].by_shortcut
                    )
                    gradient = go(gradient)
                of_length += gradient
            assert of_length.norm().item() == pytest.approx(table["sum_gradient"][length], rel=1e-9)
            total += of_length
    assert total.norm().item() == pytest.approx(
        measure_gradient_flow(net, *batch)["input_gradient"][0], rel=1e-9
    )


def test_zero_blocks_leave_the_path_of_length_zero(network, batch):
    net = network(order="pre")
    with torch.no_grad():
        for block in net.blocks():
            block.conv2.weight.zero_()
    table = measure_paths(net, *batch, build_generator(0, "paths"))
    assert table["sum_gradient"][0] > 0
    assert table["sum_gradient"][1:] == [0.0] * 3
