"""Every probe, as training and explain.py take it."""

import pytest
import torch

from degradation.data.datasets import Dataset, Split
from degradation.data.loaders import ResidentLoader
from degradation.data.random_streams import build_generator
from degradation.models.initialisation import initialise
from degradation.models.network import Network
from degradation.probes.measure import measure_probe, sample_probe_batch
from degradation.registry import PROBES

APPLICABLE = [
    (name, shortcut)
    for name in PROBES.names()
    for shortcut in ("none", "B")
    if shortcut != "none" or not PROBES.facts(name)["needs_shortcuts"]
]


@pytest.mark.parametrize(("name", "shortcut"), APPLICABLE)
def test_probe_leaves_the_network_unchanged(make_model, name, shortcut):
    """Weights, moving averages, gradients and mode stay the same.

    The images are in colour and in channels last; the table is that of the default memory format,
    to rounding.
    """
    network = Network(make_model(depth=14, width=4, shortcut=shortcut), 3, 5)
    initialise(network, build_generator(0, "initialisation"))
    images = torch.randn(12, 3, 8, 8, generator=build_generator(0, "test"))
    labels = torch.arange(12) % 5
    expected = measure_probe(name, network, (images, labels), 0, 0)

    network = network.to(memory_format=torch.channels_last).train()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    channels_last = images.contiguous(memory_format=torch.channels_last)
    table = measure_probe(name, network, (channels_last, labels), 0, 0)
    for column, values in expected.items():
        for value, expected_value in zip(table[column], values, strict=True):
            if isinstance(expected_value, float):
                assert value == pytest.approx(expected_value, rel=2e-2, abs=1e-5), column
            else:
                assert value == expected_value, column
    assert network.training
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    later = measure_probe(name, network, (images, labels), 0, 1)
    assert later.keys() == expected.keys() == PROBES.facts(name)["columns"].keys()


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("identity", 6, 6),
        ("identity", 4, 4),
        ("identity", 999, 20),
        ("lesions", 2, 10),
        ("lesions", None, 20),
    ],
)
def test_probe_sees_all_classes_of_a_sorted_data_set(compose_config, name, size, expected):
    """The images are spread evenly over the split; lesions see test images."""
    labels = torch.arange(20) // 5  # five of each of four classes
    train, test = (
        Split(torch.full((20, 1, 8, 8), value, dtype=torch.uint8), labels) for value in (10, 20)
    )
    config = compose_config(
        f"probes.batch_size={size or 2}", f"probes.test_pictures={10 if size else 'null'}"
    )
    loader = ResidentLoader(Dataset(train, test, 4), config, torch.device("cpu"))
    images, probe_labels = sample_probe_batch(name, loader, config.probes)
    assert len(images) == len(probe_labels) == expected
    assert set(probe_labels.tolist()) == {0, 1, 2, 3}
    assert probe_labels.tolist() == sorted(probe_labels.tolist())
