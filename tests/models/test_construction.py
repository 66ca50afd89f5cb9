"""The solution by construction: a deeper network computes the same (He et al. 2015, section 1)."""

import pytest
import torch
import torch.nn.functional as F

from degradation.models.construction import find_exact_scale, grow
from degradation.models.network import Network


@pytest.fixture
def shallow(make_model):
    """Return a plain-8 whose BN layers have seen data, in eval mode and channels last."""
    torch.manual_seed(0)
    network = Network(make_model(shortcut="none", depth=8, width=8), 1, 10).to(
        memory_format=torch.channels_last
    )
    with torch.no_grad():
        for _ in range(100):
            network(draw_images())
    return network.eval()


def draw_images():
    return torch.randn(64, 1, 8, 8)


@pytest.mark.parametrize("depth", [14, 20, 56])
def test_grown_network_gives_identical_logits(shallow, make_model, depth):
    torch.manual_seed(1)
    batches = [draw_images() for _ in range(3)]
    deep = grow(
        shallow,
        make_model(shortcut="none", depth=depth, width=8, grown_from=8),
        lambda: iter(batches),
    )
    deep = deep.to(memory_format=torch.channels_last)
    assert len(list(deep.blocks())) == (depth - 2) // 2
    with torch.inference_mode():
        x = draw_images()
        assert torch.equal(deep(x), shallow(x))


def test_grown_network_in_train_mode_is_close(shallow, make_model):
    """Up to the batch's statistics, so that training starts from the solution."""
    torch.manual_seed(1)
    batches = [draw_images() for _ in range(8)]
    model = make_model(shortcut="none", depth=20, width=8, grown_from=8)
    deep = grow(shallow, model, lambda: iter(batches)).train()
    x = torch.cat(batches)
    with torch.no_grad():
        before, after = shallow.train()(x), deep(x)
    assert (before - after).abs().max() < 0.3 * before.std()


def test_grown_network_has_the_deeper_architecture(shallow, make_model):
    model = make_model(shortcut="none", depth=20, width=8, grown_from=8)
    deep = grow(shallow, model, lambda: [draw_images()])
    assert {n: p.shape for n, p in deep.named_parameters()} == {
        n: p.shape for n, p in Network(model, 1, 10).named_parameters()
    }
    assert all(parameter.requires_grad for parameter in deep.parameters())


def test_exact_scale_undoes_normalisation():
    variance = torch.cat([torch.zeros(3), torch.logspace(-12, 6, 20_000)])
    scale, exact_variance = find_exact_scale(variance, 1e-5)
    mean = torch.linspace(0, 50, len(variance))
    x = torch.rand(3, len(variance), 2, 2) * 100
    y = F.batch_norm(x, mean, exact_variance, scale, mean, training=False, eps=1e-5)
    assert torch.equal(y, x)
    torch.testing.assert_close(exact_variance + 1e-5, variance + 1e-5, rtol=1e-5, atol=0)
    torch.testing.assert_close(scale, torch.sqrt(variance + 1e-5), rtol=1e-5, atol=0)
