"""Every probe as training and explain.py take it."""

import pytest
import torch

from degradation.config import is_applicable
from degradation.data.datasets import Dataset, Split
from degradation.data.loaders import ResidentLoader
from degradation.data.random_streams import build_generator
from degradation.models.network import Network, initialise
from degradation.probes.measure import measure_probe, sample_probe_batch
from degradation.registry import PROBES

TAKEN = [
    (name, shortcut)
    for name in PROBES.names()
    for shortcut in ("none", "B")
    if is_applicable(name, shortcut)
]


@pytest.mark.parametrize(("name", "shortcut"), TAKEN)
def test_colour_pictures_in_channels_last_and_no_trace_left(make_model, name, shortcut):
    """Weights, averages, gradients and mode stay; the table is that of the default memory format, to rounding."""
    network = Network(make_model(depth=14, width=4, shortcut=shortcut), 3, 5)
    initialise(network, build_generator(0, "initialisation"))
    pictures = torch.randn(12, 3, 8, 8, generator=build_generator(0, "test"))
    batch = pictures, torch.arange(12) % 5
    expected = measure_probe(name, network, batch, 0, 0)
    network = network.to(memory_format=torch.channels_last).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    found = measure_probe(
        name, network, (pictures.contiguous(memory_format=torch.channels_last), batch[1]), 0, 0
    )
    for column, values in expected.items():
        for one, other in zip(found[column], values, strict=True):
            number = isinstance(other, float)
            assert one == (pytest.approx(other, rel=2e-2, abs=1e-5) if number else other), column
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert measure_probe(name, network, (pictures, batch[1]), 0, 1).keys() == expected.keys()


@pytest.mark.parametrize(
    ("name", "size", "seen"),
    [
        ("identity", 6, 6),
        ("identity", 4, 4),
        ("identity", 999, 20),
        ("lesions", 2, 10),
        ("lesions", None, 20),
    ],
)
def test_a_probe_sees_pictures_of_all_classes_though_a_folder_is_sorted_by_class(
    compose_config, name, size, seen
):
    """So many spread evenly; lesions see test pictures."""
    labels = torch.arange(20) // 5  # five of each of four classes
    splits = [
        Split(torch.full((20, 1, 8, 8), value, dtype=torch.uint8), labels) for value in (10, 20)
    ]
    config = compose_config(
        f"probes.batch_size={size or 2}", f"probes.test_pictures={10 if size else 'null'}"
    )
    feed = ResidentLoader(Dataset(*splits, 4), config, torch.device("cpu"))
    pictures, found = sample_probe_batch(name, feed, config.probes)
    assert len(pictures) == len(found) == seen
    assert set(found.tolist()) == {0, 1, 2, 3}
    assert found.tolist() == sorted(found.tolist())
