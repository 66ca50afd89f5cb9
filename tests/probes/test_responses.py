import pytest
import torch

from degradation.probes.responses import measure_responses


@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_bns_scale_is_the_deviation_of_the_response(network, batch, shortcut):
    """With a scale of c and no shift BN's output has deviation c, for any weights: layers in their order."""
    net = network(shortcut=shortcut)
    names = ["bn1", *(f"layer{s}.0.bn{n}" for s in (1, 2, 3) for n in (1, 2))]
    scales = [float(number) for number in range(1, 8)]
    with torch.no_grad():
        for name, scale in zip(names, scales, strict=True):
            net.get_submodule(name).weight.fill_(scale)
    table = measure_responses(net, batch[0])
    assert table["layer"] == list(range(1, 8))
    assert table["kernel"] == [3] * 7
    assert table["deviation"] == pytest.approx(scales, rel=1e-3)  # BN adds 1e-5 to the variance


def test_the_response_is_taken_before_relu_and_addition(network, batch):
    """Half of a symmetric signal is below 0 there: its mean is BN's shift, its deviation not that of a ReLU."""
    net = network()
    with torch.no_grad():
        net.layer3[0].bn2.weight.zero_()  # F is 0: after the addition the signal is not
    assert measure_responses(net, batch[0])["deviation"][-1] == 0.0


def test_in_the_order_pre_it_is_what_the_convolution_gives(network, batch):
    net = network(order="pre")
    with torch.no_grad():
        before = measure_responses(net, batch[0])["deviation"]
        net.layer3[0].conv2.weight.mul_(5)
    assert measure_responses(net, batch[0])["deviation"] == pytest.approx(
        [*before[:-1], 5 * before[-1]]
    )


def test_a_bottlenecks_kernels_are_told(network, batch):
    assert (
        measure_responses(network(block="bottleneck", depth=11), batch[0])["kernel"]
        == [3] + [1, 3, 1] * 3
    )
