"""Parameter counts, shapes, and the one argument that tells plain from residual (He et al. 2015, 4.2)."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from degradation.config import Model
from degradation.data.streams import generator
from degradation.models.blocks import BasicBlock, Bottleneck
from degradation.models.census import census
from degradation.models.cifar import Network, initialise
from degradation.models.shortcuts import ZeroPadding, shortcut_module

# depth: parameters, millions of multiply-adds; computed from the architecture, the paper prints them rounded
COUNTS = {
    20: (269_722, 40.6),
    32: (464_154, 68.9),
    44: (658_586, 97.2),
    56: (853_018, 125.5),
    110: (1_727_962, 252.9),
    1202: (19_421_274, 2829.2),
}
PRINTED = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7, 1202: 19.4}  # millions, He et al. 2015, table 6


def network(shortcut="A", block="basic", depth=20, width=4, channels=3):
    net = Network(Model(shortcut, block, depth, width), channels, 10)
    initialise(net, generator(0, "initialisation"))
    return net


@pytest.mark.parametrize("depth", COUNTS)
def test_plain_and_residual_have_the_papers_parameters(depth):
    """Pitfalls 2 and 7: shortcuts that are projections after all, ImageNet's widths."""
    plain, residual = (census(Model(shortcut, "basic", depth, 16), 3, 32, 10) for shortcut in ("none", "A"))
    assert plain == residual
    assert residual.parameters == COUNTS[depth][0]
    assert round(residual.multiply_adds / 1e6, 1) == COUNTS[depth][1]
    assert abs(residual.parameters / 1e6 - PRINTED[depth]) <= (0.05 if depth >= 110 else 0.005)


def test_the_census_counts_what_the_network_has():
    net = network()
    assert census(Model("A", "basic", 20, 4), 3, 32, 10).parameters == sum(p.numel() for p in net.parameters())


def test_option_b_adds_two_projections():
    a, b = (census(Model(shortcut, "basic", 56, 16), 3, 32, 10).parameters for shortcut in "AB")
    assert b - a == 2752


def test_option_c_projects_in_every_block():
    net = network("C")
    blocks = [module for module in net.modules() if isinstance(module, BasicBlock)]
    assert len(blocks) == 9
    assert all(isinstance(block.downsample, nn.Sequential) for block in blocks)


@pytest.mark.parametrize("shortcut", ["none", "A", "B", "C"])
@pytest.mark.parametrize(("block", "depth"), [("basic", 20), ("bottleneck", 29)])
def test_shapes(shortcut, block, depth):
    net = network(shortcut, block, depth).eval()
    assert net(torch.randn(2, 3, 32, 32)).shape == (2, 10)
    weights = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear) and m.weight.shape[-1] != 1]
    assert len([m for m in net.modules() if isinstance(m, BasicBlock | Bottleneck)]) == 9
    if block == "basic":
        assert len(weights) == depth


@pytest.mark.parametrize(("side", "sides"), [(32, (32, 16, 8)), (8, (8, 4, 2))])
def test_the_stages_halve_the_picture(side, sides):
    net, seen = network(), []
    for stage in (net.layer1, net.layer2, net.layer3):
        stage.register_forward_hook(lambda _m, _i, output: seen.append(tuple(output.shape[1:])))
    net(torch.randn(2, 3, side, side))
    assert seen == [(width, at, at) for width, at in zip((4, 8, 16), sides, strict=True)]


def test_the_source_documents_examples_run_unchanged():
    x = torch.randn(4, 64, 32, 32)
    downsample = nn.Sequential(nn.Conv2d(64, 128, 1, stride=2, bias=False), nn.BatchNorm2d(128))
    assert BasicBlock(64, 128, stride=2, downsample=downsample)(x).shape == (4, 128, 16, 16)
    downsample = nn.Sequential(nn.Conv2d(64, 256, 1, stride=2, bias=False), nn.BatchNorm2d(256))
    assert Bottleneck(64, 64, stride=2, downsample=downsample)(x).shape == (4, 256, 16, 16)
    assert Bottleneck.expansion == 4


def test_blocks_are_as_the_source_document_has_them():
    bottleneck = Bottleneck(64, 16, stride=2)
    assert [c.kernel_size for c in (bottleneck.conv1, bottleneck.conv2, bottleneck.conv3)] == [(1, 1), (3, 3), (1, 1)]
    assert (bottleneck.conv1.stride, bottleneck.conv2.stride) == ((1, 1), (2, 2))
    for block in (bottleneck, BasicBlock(8, 8)):
        convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
        norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
        assert all(convolution.bias is None for convolution in convolutions)
        assert len(norms) == len(convolutions)


def test_the_zero_padding_shortcut_has_no_parameters_and_pads_after_the_old_channels():
    x = torch.randn(2, 4, 6, 6)
    shortcut = ZeroPadding(4, 8, stride=2)
    assert not list(shortcut.parameters())
    y = shortcut(x)
    assert torch.equal(y[:, :4], x[:, :, ::2, ::2])
    assert torch.equal(y[:, 4:], torch.zeros(2, 4, 3, 3))


def test_where_shapes_agree_only_option_c_has_a_module():
    assert [shortcut_module(option, 8, 8, 1) is None for option in ("none", "A", "B", "C")] == [True, True, True, False]


@pytest.mark.parametrize("residual", [True, False])
@pytest.mark.parametrize("make", [lambda r: BasicBlock(8, 8, residual=r), lambda r: Bottleneck(8, 2, residual=r)])
def test_both_variants_end_in_a_relu_and_differ_by_x_alone(make, residual):
    """Pitfall 4: the last ReLU is missing in the plain variant only."""
    torch.manual_seed(0)
    block = make(residual).eval()
    x = torch.randn(3, 8, 5, 5)
    inner = block.convolutions(x)
    assert bool((inner < 0).any())
    assert torch.equal(block(x), F.relu(inner + x) if residual else F.relu(inner))


def test_plain_and_residual_begin_with_the_same_weights():
    plain, residual = network("none").state_dict(), network("A").state_dict()
    assert plain.keys() == residual.keys()
    assert all(torch.equal(plain[name], residual[name]) for name in plain)


def test_initialisation_is_he_normal_fan_out():
    net = network(width=32)
    weight = net.layer3[0].conv1.weight  # 64 channels to 128 filters of 3x3
    assert weight.std().item() == pytest.approx((2 / (9 * 128)) ** 0.5, rel=0.02)


def test_channels_last_changes_no_more_than_rounding():
    net, x = network().eval(), torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        expected = net(x)
        torch.testing.assert_close(net.to(memory_format=torch.channels_last)(x), expected, rtol=1e-4, atol=1e-5)
