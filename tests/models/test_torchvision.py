"""ImageNet residual networks with option B are torchvision's: same names, same outputs."""

import pytest
import torch
import torchvision

from degradation.models.network import Network

BLOCKS_BY_DEPTH = {18: "basic", 34: "basic", 50: "bottleneck", 101: "bottleneck", 152: "bottleneck"}


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    ("depth", "block"),
    [
        pytest.param(depth, block, marks=[pytest.mark.slow] * (depth > 100))
        for depth, block in BLOCKS_BY_DEPTH.items()
    ],
)
def test_torchvision_state_dicts_load_both_ways(make_model, depth, block):
    torch.manual_seed(0)
    theirs = getattr(torchvision.models, f"resnet{depth}")(weights=None).eval()
    model = make_model(layout="imagenet", shortcut="B", block=block, depth=depth, width=64)
    ours = Network(model, 3, 1000).eval()
    images = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        ours.load_state_dict(theirs.state_dict(), strict=True)
        torch.testing.assert_close(ours(images), theirs(images), rtol=1e-4, atol=1e-5)
        again = getattr(torchvision.models, f"resnet{depth}")(weights=None).eval()
        again.load_state_dict(ours.state_dict(), strict=True)
        torch.testing.assert_close(again(images), theirs(images), rtol=0, atol=0)
    assert [name for name, _ in ours.named_parameters()] == [
        name for name, _ in theirs.named_parameters()
    ]
