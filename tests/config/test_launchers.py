"""Every launcher runs the jobs of train.py, explain.py and landscape.py."""

import pytest

from degradation.config import compose_overrides, initialise_hydra

PREFLIGHTS = {
    "config": "degradation.sweep.jobs.check_training_job",
    "explain": "degradation.sweep.probe_jobs.check_probe_job",
    "landscape": "degradation.sweep.probe_jobs.check_landscape_job",
}


@pytest.mark.parametrize("launcher", ["pool", "slurm", "ray"])
@pytest.mark.parametrize("script", PREFLIGHTS)
def test_launcher_checks_the_jobs_of_a_script(script, launcher):
    overrides = ["experiment=paper", f"hydra/launcher={launcher}"]
    with initialise_hydra():
        composed = compose_overrides(script, overrides, return_hydra_config=True)
    assert composed.hydra.launcher.preflight == PREFLIGHTS[script]
    assert f"{launcher}_launcher" in composed.hydra.launcher._target_
