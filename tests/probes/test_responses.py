import pytest
import torch

from degradation.probes.responses import measure_responses


@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_response_deviation_is_the_scale_of_batchnorm(build_network, batch, shortcut):
    """With scale c and no shift, BN's output has standard deviation c whatever the weights are."""
    network = build_network(shortcut=shortcut)
    names = ["bn1", *(f"layer{stage}.0.bn{n}" for stage in (1, 2, 3) for n in (1, 2))]
    scales = [float(number) for number in range(1, 8)]
    with torch.no_grad():
        for name, scale in zip(names, scales, strict=True):
            network.get_submodule(name).weight.fill_(scale)
    table = measure_responses(network, batch[0])
    assert table["layer"] == list(range(1, 8))
    assert table["kernel"] == [3] * 7
    assert table["deviation"] == pytest.approx(scales, rel=1e-3)  # BN adds 1e-5 to the variance


def test_response_is_measured_before_relu_and_addition(build_network, batch):
    network = build_network()
    with torch.no_grad():
        network.layer3[0].bn2.weight.zero_()  # F is 0, while the signal after the addition is not
    assert measure_responses(network, batch[0])["deviation"][-1] == 0.0


def test_preactivation_response_is_the_convolutions_output(build_network, batch):
    network = build_network(order="pre")
    with torch.no_grad():
        before = measure_responses(network, batch[0])["deviation"]
        network.layer3[0].conv2.weight.mul_(5)
    after = measure_responses(network, batch[0])["deviation"]
    assert after == pytest.approx([*before[:-1], 5 * before[-1]])


def test_kernel_sizes_of_a_bottleneck_are_listed(build_network, batch):
    table = measure_responses(build_network(block="bottleneck", depth=11), batch[0])
    assert table["kernel"] == [3] + [1, 3, 1] * 3
