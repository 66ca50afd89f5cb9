"""The reference loop's network is the suite's: the comparison is between loops, not networks."""

import pytest
import torch
import torch.nn.functional as F

from benchmarks.reference_network import ResNet
from degradation.models.network import Network


def build_pair(model, channels=3, classes=10):
    """Return the suite's network and the reference network, with equal weights."""
    torch.manual_seed(0)
    network = Network(model, channels, classes)
    for buffer in network.buffers():
        if buffer.is_floating_point():  # BN's moving averages, in which a mistake would show
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    reference = ResNet(model.depth, model.width, channels, classes, model.shortcut != "none")
    values = network.state_dict().values()
    names = reference.state_dict()
    reference.load_state_dict(dict(zip(names, values, strict=True)))
    return network, reference


@pytest.mark.parametrize("shortcut", ["none", "A"])
@pytest.mark.parametrize(("depth", "width", "channels"), [(8, 4, 3), (14, 4, 1)])
def test_reference_network_computes_what_the_suites_does(
    make_model, shortcut, depth, width, channels
):
    model = make_model(depth=depth, width=width, shortcut=shortcut)
    network, reference = build_pair(model, channels, classes=7)
    images = torch.randn(4, channels, 12, 12)
    labels = torch.tensor([0, 3, 6, 1])
    gradients = []
    for module in (network, reference):
        F.cross_entropy(module(images), labels).backward()
        gradients.append([parameter.grad for parameter in module.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(network.eval()(images), reference.eval()(images))


@pytest.mark.parametrize("shortcut", ["none", "A"])
def test_reference_network_has_the_papers_parameters(shortcut):
    reference = ResNet(20, 16, 3, 10, shortcut != "none")
    assert sum(parameter.numel() for parameter in reference.parameters()) == 269_722
