"""How many jobs each launcher runs at once, as `make plan` and the sweep itself count them."""

import pytest
from hydra.utils import instantiate

from degradation.cli import HYDRA_ERRORS, format_error
from degradation.errors import UserError
from degradation.sweep.expand import compose_launcher
from hydra_plugins.pool_launcher import Gpu, _slots


def find_capacity(*overrides, requests=()):
    return instantiate(compose_launcher(overrides)).find_capacity(requests)


@pytest.fixture
def _two_gpus(monkeypatch):
    def list_gpus(_count_gpus, _count_fitting=None, jobs=()):
        return [Gpu(name, fitting=20 if jobs else None) for name in "01"]

    monkeypatch.setattr(_slots, "list_visible_gpus", list_gpus)
    monkeypatch.setattr(_slots, "_count_cores", lambda: 64)
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", "missing")


@pytest.mark.usefixtures("_two_gpus")
@pytest.mark.parametrize(
    ("overrides", "jobs", "description"),
    [
        (["device=cuda"], 2, "on this machine, 1 on each GPU"),
        (
            ["device=auto", "hydra.launcher.slots_per_gpu=4"],
            8,
            "on this machine, 4 on each GPU, which slows each of them: without NVIDIA MPS",
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


@pytest.mark.usefixtures("_two_gpus")
def test_slots_per_gpu_follow_from_the_jobs_unless_given(monkeypatch, tmp_path):
    capacity = find_capacity("device=cuda", requests=["a job", "another"])
    assert (capacity.jobs, capacity.description[:32]) == (6, "on this machine, 3 on each GPU, ")
    assert find_capacity("device=cuda", requests=["a job", None]).jobs == 2
    (tmp_path / "control").touch()
    monkeypatch.setenv("CUDA_MPS_PIPE_DIRECTORY", str(tmp_path))
    capacity = find_capacity("device=cuda", requests=["a job"])
    assert capacity.jobs == 16
    assert capacity.description.endswith(
        "8 on each GPU, which NVIDIA MPS lets compute at the same time"
    )
    assert find_capacity("hydra.launcher.slots_per_gpu=1", requests=["a job"]).jobs == 2


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "many"])
def test_bad_number_of_slots_is_one_line(value):
    with pytest.raises((*HYDRA_ERRORS, UserError)) as error:
        find_capacity("device=cuda", f"hydra.launcher.slots_per_gpu={value}")
    assert "slots_per_gpu" in format_error(error.value)
    assert "\n" not in format_error(error.value)
