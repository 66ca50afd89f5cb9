"""How many jobs each launcher runs at once, as `make plan` and the sweep itself count them."""

import pytest
from hydra.utils import instantiate

from degradation.sweep.expand import compose_launcher
from hydra_plugins.pool_launcher import Gpu, _slots


def find_capacity(*overrides):
    return instantiate(compose_launcher(overrides)).find_capacity()


@pytest.fixture
def _two_gpus(monkeypatch):
    gpus = [Gpu("0"), Gpu("1")]
    monkeypatch.setattr(_slots, "list_visible_gpus", lambda _: gpus)


@pytest.mark.usefixtures("_two_gpus")
@pytest.mark.parametrize(
    ("overrides", "jobs", "description"),
    [
        (["device=cuda"], 2, "on this machine, 1 on each GPU"),
        (
            ["device=auto", "hydra.launcher.slots_per_gpu=4"],
            8,
            "on this machine, 4 on each GPU, which slows each of them",
        ),
        (["device=cuda", "hydra.launcher.slots=1"], 1, "on this machine, 1 on each GPU"),
        (["device=cpu", "hydra.launcher.slots=5"], 5, "on this machine"),
        (["experiment=quick", "hydra.launcher.slots=5"], 5, "on this machine"),
        (["device=cuda", "hydra.launcher.device=cpu", "hydra.launcher.slots=3"], 3, ""),
    ],
)
def test_pool_counts_the_slots_of_its_settings(overrides, jobs, description):
    capacity = find_capacity(*overrides)
    assert capacity.jobs == jobs
    assert description in capacity.description


@pytest.mark.parametrize(
    ("overrides", "jobs"),
    [
        (["hydra/launcher=slurm"], 256),
        (["hydra/launcher=slurm", "hydra.launcher.array_parallelism=7"], 7),
        (["hydra/launcher=ray"], None),
    ],
)
def test_cluster_counts_what_its_settings_allow(overrides, jobs):
    assert find_capacity(*overrides).jobs == jobs
