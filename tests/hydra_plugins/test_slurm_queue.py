"""Which jobs of the slurm launcher are in the queue already; without SLURM."""

from dataclasses import replace

import pytest
from omegaconf import OmegaConf

from hydra_plugins.slurm_launcher import launcher as launcher_module
from hydra_plugins.slurm_launcher.launcher import SlurmLauncher
from hydra_plugins.sweep_launcher._launcher import Job

OVERRIDES = ("model=plain", "record_root=runs", "seed=0")


class SubmittedJob:
    """What submitit returns: the job's id and where its output goes."""

    def __init__(self, folder, job_id):
        self.job_id = job_id
        self.paths = self
        self.stdout = folder / job_id / "out.log"


class Executor:
    """submitit's executor; it numbers the jobs instead of submitting them."""

    submitted = 0

    def __init__(self, folder, cluster):
        self.folder = folder.parent

    def update_parameters(self, **_):
        pass

    def batch(self):
        return self

    def __enter__(self):
        pass

    def __exit__(self, *_):
        pass

    def submit(self, _function):
        Executor.submitted += 1
        return SubmittedJob(self.folder, f"7_{Executor.submitted}")


@pytest.fixture
def launcher(tmp_path, monkeypatch):
    submitit = pytest.importorskip("submitit")
    monkeypatch.setattr(submitit, "AutoExecutor", Executor)
    monkeypatch.setattr(submitit, "SlurmJob", SubmittedJob)
    monkeypatch.setattr(launcher_module, "list_unfinished", set)  # every job is in the queue
    built = SlurmLauncher(None, wait=False, timeout_min=60, signal_delay_s=60, array_parallelism=1)
    built.config = OmegaConf.create({"hydra": {"sweep": {"dir": str(tmp_path)}}})
    return built


@pytest.fixture
def job(tmp_path):
    log = tmp_path / "plain-d8-s0-12345678.log"
    return Job("plain-d8-s0-12345678", print, 1.0, log, overrides=OVERRIDES)


def test_same_job_is_in_the_queue(launcher, job):
    assert launcher._find_queued([job]) == {}
    submitted = launcher._submit([job])
    queued = launcher._find_queued([job])
    assert queued[job.label].job_id == submitted[job.label].job_id


@pytest.mark.parametrize("other", ["record_root=elsewhere", "retrain_outdated=true", "device=cuda"])
def test_job_with_other_overrides_is_another_job(launcher, job, other):
    """The run is the same, so its label is, but the queued job does not do what is asked for."""
    launcher._submit([job])
    changed = replace(job, overrides=(*OVERRIDES, other))
    assert launcher._find_queued([changed]) == {}
    launcher._submit([changed])
    assert list(launcher._find_queued([changed])) == [job.label]
