"""Shapes, shortcuts, orders and initialisation of the networks (He et al. 2015, 4.2)."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from degradation.data.random_streams import build_generator
from degradation.models.basic_block import BasicBlock
from degradation.models.blocks import Block
from degradation.models.bottleneck import Bottleneck
from degradation.models.initialisation import initialise
from degradation.models.network import Network
from degradation.models.shortcuts import ZeroPadding, build_shortcut


@pytest.fixture
def build_network(make_model):
    """Return a function: keys of the model -> an initialised network of ten classes."""

    def build(shortcut="A", block="basic", depth=20, width=4, channels=3, **keys):
        model = make_model(shortcut=shortcut, block=block, depth=depth, width=width, **keys)
        network = Network(model, channels, 10)
        initialise(network, build_generator(0, "initialisation"), model.initialisation)
        return network

    return build


def test_option_c_projects_in_every_block(build_network):
    blocks = list(build_network("C").blocks())
    assert len(blocks) == 9
    assert all(isinstance(block.downsample, nn.Sequential) for block in blocks)


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
@pytest.mark.parametrize(("block", "depth"), [("basic", 20), ("bottleneck", 29)])
def test_network_shapes_and_depth(build_network, shortcut, block, depth):
    network = build_network(shortcut, block, depth).eval()
    assert network(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    weights = [
        m
        for m in network.modules()
        if isinstance(m, nn.Conv2d | nn.Linear) and m.weight.shape[-1] != 1
    ]
    assert len([m for m in network.modules() if isinstance(m, BasicBlock | Bottleneck)]) == 9
    if block == "basic":
        assert len(weights) == depth


@pytest.mark.parametrize(("side", "sides"), [(32, (32, 16, 8)), (8, (8, 4, 2))])
def test_each_stage_halves_the_image(build_network, side, sides):
    network, shapes = build_network(), []
    for stage in (network.layer1, network.layer2, network.layer3):
        stage.register_forward_hook(lambda _m, _i, output: shapes.append(tuple(output.shape[1:])))
    network(torch.randn(2, 3, side, side))
    expected = [(width, side, side) for width, side in zip((4, 8, 16), sides, strict=True)]
    assert shapes == expected


def test_torchvision_style_constructors_work():
    x = torch.randn(4, 64, 32, 32)
    downsample = nn.Sequential(nn.Conv2d(64, 128, 1, stride=2, bias=False), nn.BatchNorm2d(128))
    assert BasicBlock(64, 128, stride=2, downsample=downsample)(x).shape == (4, 128, 16, 16)
    downsample = nn.Sequential(nn.Conv2d(64, 256, 1, stride=2, bias=False), nn.BatchNorm2d(256))
    assert Bottleneck(64, 64, stride=2, downsample=downsample)(x).shape == (4, 256, 16, 16)
    assert Bottleneck.expansion == 4


def test_block_kernels_strides_and_norms():
    bottleneck = Bottleneck(64, 16, stride=2)
    kernels = [c.kernel_size for c in (bottleneck.conv1, bottleneck.conv2, bottleneck.conv3)]
    assert kernels == [(1, 1), (3, 3), (1, 1)]
    assert (bottleneck.conv1.stride, bottleneck.conv2.stride) == ((1, 1), (2, 2))
    for block in (bottleneck, BasicBlock(8, 8)):
        convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
        norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all(convolution.bias is None for convolution in convolutions)
        assert len(norms) == len(convolutions)


def test_zero_padding_appends_channels_without_parameters():
    x = torch.randn(2, 4, 6, 6)
    shortcut = ZeroPadding(4, 8, stride=2)
    assert not list(shortcut.parameters())
    y = shortcut(x)
    assert torch.equal(y[:, :4], x[:, :, ::2, ::2])
    assert torch.equal(y[:, 4:], torch.zeros(2, 4, 3, 3))


def test_zero_padding_on_either_side():
    x = torch.randn(2, 4, 6, 6)
    y = ZeroPadding(4, 9, stride=2, either_side=True)(x)
    assert torch.equal(y[:, 2:6], x[:, :, ::2, ::2])
    assert torch.equal(y[:, :2], torch.zeros(2, 2, 3, 3))
    assert torch.equal(y[:, 6:], torch.zeros(2, 3, 3, 3))


def test_only_option_c_projects_equal_shapes():
    for option in ("none", "A", "B"):
        assert build_shortcut(option, 8, 8, 1) is None
    assert build_shortcut("C", 8, 8, 1) is not None


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize(
    "make", [lambda r: BasicBlock(8, 8, residual=r), lambda r: Bottleneck(8, 2, residual=r)]
)
def test_plain_and_residual_blocks_differ_only_by_x(make, residual):
    """Pitfall 4: a plain variant that lacks the last ReLU."""
    torch.manual_seed(0)
    block = make(residual).eval()
    x = torch.randn(3, 8, 5, 5)
    inner = block.apply_convolutions(x)
    assert bool((inner < 0).any())
    assert torch.equal(block(x), F.relu(inner + x) if residual else F.relu(inner))


def test_plain_and_residual_start_from_equal_weights(build_network):
    plain, residual = build_network("none").state_dict(), build_network("A").state_dict()
    assert plain.keys() == residual.keys()
    assert all(torch.equal(plain[name], residual[name]) for name in plain)


@pytest.mark.parametrize(("initialisation", "fan"), [("fan_out", 9 * 128), ("fan_in", 9 * 64)])
def test_initialisation_is_he_normal(build_network, initialisation, fan):
    network = build_network(width=32, initialisation=initialisation)
    weight = network.layer3[0].conv1.weight  # 64 channels to 128 filters of 3x3
    assert weight.std().item() == pytest.approx((2 / fan) ** 0.5, rel=0.02)


@pytest.mark.parametrize("width", [4, 64])
def test_linear_layer_is_initialised_uniformly(build_network, width):
    """PyTorch's default: weights and biases between -1/sqrt(n) and 1/sqrt(n) for n inputs."""
    layer = build_network(width=width).fc
    bound = (4 * width) ** -0.5
    for values in (layer.weight, layer.bias):
        assert values.abs().max() <= bound
        assert values.abs().max() > 0.7 * bound
    assert layer.weight.abs().max() > 0.97 * bound
    assert layer.weight.mean().item() == pytest.approx(0, abs=0.1 * bound)
    assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.1)


def test_batchnorm_is_initialised_to_the_identity(build_network):
    norms = [module for module in build_network().modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 19
    for norm in norms:
        assert set(norm.weight.tolist()) == set(norm.running_var.tolist()) == {1.0}
        assert set(norm.bias.tolist()) == set(norm.running_mean.tolist()) == {0.0}


def test_initialisation_uses_only_its_own_stream(make_model):
    """Every convolution and the linear layer; the global stream is neither read nor advanced."""
    networks = [Network(make_model(depth=8, width=4, shortcut="C"), 3, 10) for _ in range(3)]
    torch.manual_seed(7)
    before = torch.get_rng_state()
    for network, seed in zip(networks, (1, 1, 2), strict=True):
        initialise(network, build_generator(seed, "initialisation"))
    assert torch.equal(torch.get_rng_state(), before)
    first, same, other = (network.state_dict() for network in networks)
    drawn = [name for name, value in first.items() if value.dim() > 1 or name == "fc.bias"]
    # the stem, three blocks with their projections, the linear layer's weight and bias
    assert len(drawn) == 1 + 3 * 3 + 2
    for name in drawn:
        assert torch.equal(first[name], same[name])
        assert not torch.equal(first[name], other[name])
    assert len({first[name].flatten()[0].item() for name in drawn}) == len(drawn)


def test_channels_last_changes_only_rounding(build_network):
    network, x = build_network().eval(), torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        expected = network(x)
        torch.testing.assert_close(
            network.to(memory_format=torch.channels_last)(x), expected, rtol=1e-4, atol=1e-5
        )


def test_preactivation_block_adds_a_clean_shortcut():
    """He et al. 2016: y = x + F(x) with nothing after the addition; F = BN ReLU conv, twice."""
    torch.manual_seed(0)
    block = BasicBlock(8, 8, order="pre").eval()
    x = torch.randn(3, 8, 5, 5)
    inner = block.conv2(F.relu(block.bn2(block.conv1(F.relu(block.bn1(x))))))
    torch.testing.assert_close(block(x), x + inner)
    plain = BasicBlock(8, 8, order="pre", residual=False).eval()
    plain.load_state_dict(block.state_dict())
    torch.testing.assert_close(plain(x), inner)
    assert bool((block(x) < 0).any())


def test_preactivation_has_the_same_layers(build_network):
    """The first block relies on the stem's BN and ReLU; one more pair follows the last block."""
    for shortcut in ("none", "A"):
        pre, post = build_network(shortcut, order="pre"), build_network(shortcut)
        kinds = [
            [type(m).__name__ for m in network.modules() if not list(m.children())]
            for network in (pre, post)
        ]
        assert sorted(kinds[0]) == sorted(kinds[1])
        assert not hasattr(next(pre.blocks()), "bn1")
        assert pre.bn_last is not None


@pytest.mark.parametrize(("block", "depth"), [("basic", 20), ("bottleneck", 29)])
def test_order_makes_no_difference_without_shortcuts(build_network, block, depth):
    """Convolution, BN and ReLU alternate either way: a plain pre-activation network is plain."""
    post, pre = (
        build_network("none", block, depth, order=order).eval() for order in ("post", "pre")
    )
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter, other in zip(post.parameters(), pre.parameters(), strict=True):
            parameter.copy_(torch.rand_like(parameter) - 0.3)
            other.copy_(parameter)
    x = torch.randn(4, 3, 16, 16)
    with torch.inference_mode():
        torch.testing.assert_close(pre(x), post(x))


def test_bottleneck_stride_may_be_on_the_first_1x1(build_network):
    for stride, expected in (("3x3", (1, 2, 1)), ("1x1", (2, 1, 1))):
        block = build_network(block="bottleneck", depth=29, bottleneck_stride=stride).layer2[0]
        assert tuple(convolution.stride[0] for convolution, _ in block.conv_bn_pairs()) == expected


def test_blocks_are_ordered_from_input_to_output(build_network):
    blocks = list(build_network(depth=56).blocks())
    assert len(blocks) == 27
    assert all(isinstance(block, Block) for block in blocks)
    assert [block.conv1.out_channels for block in blocks] == [4] * 9 + [8] * 9 + [16] * 9
