"""Parameters, multiply-adds and activations, compared with the paper and computed by hand."""

import pytest
import torch
from torch import nn

from degradation.models.complexity import list_layers, measure_complexity
from degradation.models.network import Network

# depth: (parameters, millions of multiply-adds), computed; the paper prints them rounded
COUNTS = {
    20: (269_722, 40.6),
    32: (464_154, 68.9),
    44: (658_586, 97.2),
    56: (853_018, 125.5),
    110: (1_727_962, 252.9),
    1202: (19_421_274, 2829.2),
}
# millions of parameters, He et al. 2015, table 6
PRINTED = {20: 0.27, 32: 0.46, 44: 0.66, 56: 0.85, 110: 1.7, 1202: 19.4}
# billions of multiply-adds, He et al. 2015, table 1: as printed
IMAGENET = {(18, "basic", "A"): 1.8, (34, "basic", "A"): 3.6}
# computed, with the stride on the first 1x1 convolution, and on the 3x3
BOTTLENECK = {50: (3.86, 4.09), 101: (7.57, 7.80), 152: (11.28, 11.51)}
PRINTED_BOTTLENECK = {50: 3.8, 101: 7.6, 152: 11.3}


@pytest.fixture
def count(make_model):
    return lambda side=32, classes=10, **keys: measure_complexity(
        make_model(**keys), 3, side, classes
    )


@pytest.fixture
def imagenet(count):
    return lambda **keys: count(224, 1000, layout="imagenet", width=64, **keys)


@pytest.mark.parametrize(
    "depth", [pytest.param(n, marks=[pytest.mark.slow] * (n > 1000)) for n in COUNTS]
)
def test_parameter_counts_match_the_paper(count, depth):
    """Pitfalls 2 and 7: projections instead of option A, and the widths for ImageNet."""
    plain, residual = (count(depth=depth, shortcut=shortcut) for shortcut in ("none", "A"))
    assert plain == residual
    assert residual.parameters == COUNTS[depth][0]
    assert round(residual.multiply_adds / 1e6, 1) == COUNTS[depth][1]
    assert abs(residual.parameters / 1e6 - PRINTED[depth]) <= (0.05 if depth >= 110 else 0.005)


def test_option_b_adds_two_projections(count):
    a, b = (count(depth=56, shortcut=shortcut).parameters for shortcut in "AB")
    assert b - a == 2752


@pytest.mark.parametrize(("depth", "block", "shortcut"), IMAGENET)
def test_imagenet_multiply_adds_match_the_paper(imagenet, depth, block, shortcut):
    plain, residual = (
        imagenet(depth=depth, block=block, shortcut=kind) for kind in ("none", shortcut)
    )
    assert plain == residual
    assert round(residual.multiply_adds / 1e9, 1) == IMAGENET[(depth, block, shortcut)]


def test_multiply_adds_of_resnet_34_with_projections(imagenet):
    assert round(imagenet(depth=34, shortcut="B").multiply_adds / 1e9, 2) == 3.66


@pytest.mark.parametrize("depth", BOTTLENECK)
def test_bottleneck_stride_decides_the_multiply_adds(imagenet, depth):
    on_1x1, on_3x3 = (
        imagenet(depth=depth, block="bottleneck", shortcut="B", bottleneck_stride=stride)
        for stride in ("1x1", "3x3")
    )
    assert (
        round(on_1x1.multiply_adds / 1e9, 2),
        round(on_3x3.multiply_adds / 1e9, 2),
    ) == BOTTLENECK[depth]
    assert abs(on_1x1.multiply_adds / 1e9 - PRINTED_BOTTLENECK[depth]) < 0.1
    assert on_1x1.parameters == on_3x3.parameters


@pytest.mark.parametrize("keys", [{}, {"shortcut": "C"}, {"order": "pre", "shortcut": "B"}])
def test_counted_parameters_are_those_of_the_network(make_model, keys):
    model = make_model(width=4, **keys)
    layers = list_layers(model, 3, 32, 10)
    network = Network(model, 3, 10)
    assert sum(layer.parameters for layer in layers) == sum(p.numel() for p in network.parameters())
    with_parameters = {n for n, m in network.named_modules() if list(m.parameters(recurse=False))}
    assert {layer.name for layer in layers} == with_parameters


def test_layer_counts_by_hand(make_model):
    """Eight layers, width 4, images of 3 x 8 x 8, option A."""
    layers = {layer.name: layer for layer in list_layers(make_model(depth=8, width=4), 3, 8, 10)}
    stem, deep, linear = layers["conv1"], layers["layer2.0.conv1"], layers["fc"]
    norm = layers["bn1"]
    assert (stem.shape, stem.parameters) == ((4, 8, 8), 108)
    assert (stem.multiply_adds, stem.activations) == (108 * 64, 4 * 64)
    assert (deep.shape, deep.parameters, deep.multiply_adds) == ((8, 4, 4), 288, 288 * 16)
    assert (linear.parameters, linear.multiply_adds, linear.activations) == (170, 160, 10)
    assert (norm.parameters, norm.multiply_adds, norm.activations) == (8, 0, 0)
    total = measure_complexity(make_model(depth=8, width=4), 3, 8, 10)
    assert total.activations == 3 * 4 * 64 + 2 * 8 * 16 + 2 * 16 * 4 + 10


@pytest.mark.slow
def test_counting_a_huge_network_allocates_nothing(make_model):
    assert measure_complexity(make_model(depth=1202, width=160), 3, 32, 10).parameters > 1e9
    assert isinstance(Network(make_model(depth=8), 3, 10).conv1, nn.Conv2d)
    assert torch.get_default_device().type == "cpu"
