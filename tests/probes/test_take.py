"""Every probe as training and explain.py take it."""

import pytest
import torch

from degradation.config import PROBES, fits
from degradation.data.streams import generator
from degradation.models.network import Network, initialise
from degradation.probes import probe_batch, take

TAKEN = [(name, shortcut) for name in PROBES for shortcut in ("none", "B") if fits(name, shortcut)]


@pytest.mark.parametrize(("name", "shortcut"), TAKEN)
def test_colour_pictures_in_channels_last_and_no_trace_left(make_model, name, shortcut):
    """Weights, averages, gradients and mode stay; the table is that of the default memory format, to rounding."""
    network = Network(make_model(depth=14, width=4, shortcut=shortcut), 3, 5)
    initialise(network, generator(0, "initialisation"))
    pictures = torch.randn(12, 3, 8, 8, generator=generator(0, "test"))
    batch = pictures, torch.arange(12) % 5
    expected = take(name, network, batch, 0, 0)
    network = network.to(memory_format=torch.channels_last).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    found = take(name, network, (pictures.contiguous(memory_format=torch.channels_last), batch[1]), 0, 0)
    for column, values in expected.items():
        for one, other in zip(found[column], values, strict=True):
            number = isinstance(other, float)
            assert one == (pytest.approx(other, rel=1e-2, abs=1e-4) if number else other), column
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert take(name, network, (pictures, batch[1]), 0, 1).keys() == expected.keys()


class Feed:
    def __init__(self):
        self.sizes = {"train": 9, "test": 5}

    def clean(self, split):
        for start in range(0, self.sizes[split], 4):
            index = torch.arange(start, min(start + 4, self.sizes[split]))
            yield index.float().view(-1, 1, 1, 1), index


@pytest.mark.parametrize(
    ("name", "size", "labels"),
    [("identity", 6, range(6)), ("identity", 4, range(4)), ("identity", 99, range(9)), ("lesions", 2, range(5))],
)
def test_a_probe_sees_the_first_training_pictures_or_the_test_pictures(name, size, labels):
    pictures, found = probe_batch(name, Feed(), size)
    assert found.tolist() == list(labels)
    assert len(pictures) == len(labels)
