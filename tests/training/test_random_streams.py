"""All random numbers of a run are drawn from its seed, with one stream per purpose."""

import pytest
import torch

from degradation import run_probes as run_probes_module
from degradation.data import loaders, random_streams
from degradation.data.datasets import load_dataset
from degradation.models.initialisation import initialise
from degradation.models.network import Network
from degradation.probes.measure import measure_probe, sample_probe_batch
from degradation.records.schema import PROBES_FILE, State
from degradation.registry import PROBES as PROBES_REGISTRY
from degradation.run import train
from degradation.run_probes import run_landscape, run_probes
from degradation.sweep.runs import locate_run
from degradation.training import initial_network, trainer
from degradation.training.device import memory_format
from degradation.training.events import ProbeResult
from degradation.training.trainer import Trainer, fit

CPU = torch.device("cpu")
FOUR_UPDATES = (
    "schedule.iterations=4",
    "schedule.milestones=[]",
    "schedule.snapshots=[]",
    "probes=none",
)


@pytest.fixture(scope="module")
def digits(compose_config):
    return load_dataset(compose_config().data)


def trained_weights(config, dataset):
    trainer = Trainer(config, dataset, CPU)
    for _ in fit(trainer):
        pass
    return torch.cat([parameter.detach().flatten() for parameter in trainer.network.parameters()])


def fix_other_streams(patched, name):
    """Draw every stream but this one from seed 0."""

    def build_generator(seed, stream, index=0):
        return streams_generator(seed if stream == name else 0, stream, index)

    streams_generator = random_streams.build_generator
    for module in (random_streams, loaders, initial_network, trainer):
        patched.setattr(module, "build_generator", build_generator)


@pytest.mark.parametrize("stream", ["order", "augmentation", "initialisation"])
def test_each_stream_alone_makes_seeds_differ(tiny, digits, monkeypatch, stream):
    expected = trained_weights(tiny("seed=0", *FOUR_UPDATES), digits)
    fix_other_streams(monkeypatch, stream)
    weights = [trained_weights(tiny(f"seed={seed}", *FOUR_UPDATES), digits) for seed in (0, 1)]
    assert torch.equal(weights[0], expected)
    assert not torch.equal(weights[1], expected)


def test_training_uses_no_other_stream(tiny, digits, monkeypatch):
    """Not even global streams: with seed 0 for the three streams, all seeds give equal weights."""
    expected = trained_weights(tiny("seed=0", *FOUR_UPDATES), digits)
    fix_other_streams(monkeypatch, "none of them")
    torch.manual_seed(5)
    assert torch.equal(trained_weights(tiny("seed=1", *FOUR_UPDATES), digits), expected)


@pytest.mark.parametrize("seed", [0, 1, 7])
@pytest.mark.parametrize("initialisation", ["fan_out", "fan_in"])
def test_initial_network_follows_from_the_seed(tiny, digits, seed, initialisation):
    config = tiny(f"seed={seed}", f"model.initialisation={initialisation}")
    expected = Network(config.model, 1, 10)
    initialise(expected, random_streams.build_generator(seed, "initialisation"), initialisation)
    state = Trainer(config, digits, CPU).network.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in expected.state_dict().items())


@pytest.fixture
def stub_probes(monkeypatch):
    """Make every probe return the first numbers of its stream."""

    def draw(_network, _images, _labels, generator):
        return {"drawn": torch.rand(3, generator=generator).tolist()}

    monkeypatch.setattr(PROBES_REGISTRY, "load", lambda _name: draw)


def expected_draw(seed, name, iteration):
    return torch.rand(
        3, generator=random_streams.build_generator(seed, f"probe/{name}", iteration)
    ).tolist()


ALL = "gradient_flow,responses,identity,shattering,lesions,paths"


@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_training_probes_draw_from_seed_name_and_iteration(tiny, digits, stub_probes, seed):
    config = tiny(f"seed={seed}", f"probes.training=[{ALL}]", "probes.early=3")
    results = [
        event for event in fit(Trainer(config, digits, CPU)) if isinstance(event, ProbeResult)
    ]
    assert {(event.probe, event.iteration) for event in results} == {
        (name, iteration) for name in ALL.split(",") for iteration in (0, 3, 6, 12)
    }
    for event in results:
        assert event.table["drawn"] == expected_draw(seed, event.probe, event.iteration)


@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_later_probes_draw_from_seed_name_and_iteration(tiny, stub_probes, seed):
    config = tiny(f"seed={seed}", "probes.training=[]", f"probes.afterwards=[{ALL}]")
    assert train(config) is State.DONE
    run_probes(config)
    rows = locate_run(config).record.valid_prefix(PROBES_FILE)
    assert {row["iteration"] for row in rows} == {0, 6, 12}
    assert {row["probe"] for row in rows} == set(ALL.split(","))
    for row in rows:
        assert row["table"]["drawn"] == expected_draw(seed, row["probe"], row["iteration"])


@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_probe_at_iteration_0_gets_the_initial_network(tiny, seed):
    """No snapshot of this network exists, so it is initialised again."""
    config = tiny(f"seed={seed}", "probes.training=[]", "probes.afterwards=[responses]")
    assert train(config) is State.DONE
    run_probes(config)
    afterwards = locate_run(config).record.valid_prefix(PROBES_FILE)[0]
    network = Network(config.model, 1, 10)
    initialise(network, random_streams.build_generator(seed, "initialisation"))
    network = network.to(memory_format=memory_format(config.precision, torch.device("cpu")))
    loader = loaders.build_loader(load_dataset(config.data), config, CPU)
    batch = sample_probe_batch("responses", loader, config.probes)
    assert afterwards["iteration"] == 0
    assert afterwards["table"] == measure_probe("responses", network, batch, seed, 0)


@pytest.mark.parametrize("seed", [pytest.param(0, marks=pytest.mark.slow), 5])
def test_landscape_directions_depend_on_their_own_seed(tiny, monkeypatch, seed):
    """There are two directions, and the run's seed does not matter."""
    draws = []

    def record_draw(network, generator):
        draws.append(
            torch.rand(3, generator=torch.Generator().set_state(generator.get_state())).tolist()
        )
        return real_draw(network, generator)

    real_draw = run_probes_module.draw_direction
    monkeypatch.setattr(run_probes_module, "draw_direction", record_draw)
    small = (
        "landscape.line=3",
        "landscape.square=3",
        "landscape.pictures=50",
        f"landscape.seed={seed}",
    )
    config = tiny("seed=2", "probes=none", *small)
    assert train(config) is State.DONE
    run_landscape(config)
    expected = [
        torch.rand(3, generator=random_streams.build_generator(seed, "landscape", index)).tolist()
        for index in (1, 2)
    ]
    assert draws == expected
