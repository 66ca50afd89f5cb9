"""Every launcher runs the jobs of train.py, explain.py and landscape.py."""

import pytest

from degradation.config import ConfigError, compose_overrides, initialise_hydra

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


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("hydra/launcher=nosuch", "'nosuch' is not allowed; allowed: basic, pool, ray, slurm"),
        (
            "hydra.launcher.partition=gpu",
            "no such key (partition is a key of hydra/launcher=slurm); allowed in hydra.launcher:"
            " slots, slots_per_gpu, device, threads, grace",
        ),
        (
            "hydra.launcher.slot=1",
            "no such key (did you mean slots?); allowed in hydra.launcher: slots, slots_per_gpu,"
            " device, threads, grace",
        ),
    ],
)
def test_messages_name_what_a_user_can_set(override, message):
    with initialise_hydra(), pytest.raises(ConfigError) as caught:
        compose_overrides("config", [override], return_hydra_config=True)
    assert str(caught.value) == f"{override.partition('=')[0]}: {message}"
