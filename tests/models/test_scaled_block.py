"""The block `scaled`: at its ends it is the residual block and the plain block, bit for bit."""

import pytest
import torch
import torch.nn.functional as F

from degradation.data.random_streams import build_generator
from degradation.models.initialisation import initialise
from degradation.models.network import Network


@pytest.fixture
def compute_gradients(make_model):
    """Return a function: keys of the model -> the logits of a batch, and all gradients."""

    def compute(**keys):
        network = Network(make_model(depth=14, width=4, **keys), 3, 10)
        initialise(network, build_generator(0, "initialisation"))
        images = torch.randn(8, 3, 16, 16, generator=build_generator(0, "test"))
        logits = network(images)
        F.cross_entropy(logits, torch.arange(8)).backward()
        gradients = {name: p.grad for name, p in network.named_parameters()}
        return {"logits": logits.detach(), **gradients}

    return compute


@pytest.mark.parametrize(
    ("keys", "options"),
    [
        ({"shortcut": "A"}, {}),
        ({"shortcut": "C"}, {"residual_scale": 1, "shortcut_scale": 1}),
        ({"shortcut": "A", "order": "pre"}, {}),
        ({"shortcut": "none"}, {"shortcut_scale": 0.3}),
    ],
)
def test_scales_of_one_give_the_basic_block(compute_gradients, keys, options):
    basic = compute_gradients(block="basic", **keys)
    scaled = compute_gradients(block="scaled", options=options, **keys)
    assert basic.keys() == scaled.keys()
    assert all(torch.equal(basic[name], scaled[name]) for name in basic)


def test_shortcut_scale_zero_gives_the_plain_network(compute_gradients):
    plain = compute_gradients(block="basic", shortcut="none")
    scaled = compute_gradients(block="scaled", shortcut="A", options={"shortcut_scale": 0})
    assert plain.keys() == scaled.keys()
    assert all(torch.equal(plain[name], scaled[name]) for name in plain)


def test_scales_multiply_the_two_paths(make_model):
    model = make_model(depth=8, width=4, block="scaled")
    model.options = {"residual_scale": 0.5, "shortcut_scale": 0.25}
    block = next(Network(model, 1, 10).eval().blocks())
    x = torch.rand(2, 4, 8, 8)
    convolved = block.bn2(block.conv2(F.relu(block.bn1(block.conv1(x)))))
    torch.testing.assert_close(block(x), F.relu(0.5 * convolved + 0.25 * x))


def test_residual_scale_zero_leaves_the_shortcuts(make_model):
    model = make_model(depth=14, width=4, block="scaled", options={"residual_scale": 0.0})
    block = next(Network(model, 1, 10).blocks())
    x = torch.rand(2, 4, 8, 8)
    assert torch.equal(block(x), x)
