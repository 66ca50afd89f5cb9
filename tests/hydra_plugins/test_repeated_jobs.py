"""Jobs that several values describe once are run once and counted once."""

from types import SimpleNamespace

from hydra_plugins.sweep_launcher import _launcher
from hydra_plugins.sweep_launcher._launcher import Job, SweepLauncher


class Launcher(SweepLauncher):
    find_capacity = run = None

    folder = _launcher.Path("logs")

    def _compose(self, overrides, index):
        return overrides


Launcher.__abstractmethods__ = frozenset()


def preflight(overrides):
    """Return the spec of a job: its label is its first override."""
    label = overrides[0]
    skip_reason = "done before" if label == "old" else None
    return SimpleNamespace(
        label=label,
        work=1.0,
        skip_reason=skip_reason,
        is_locked=lambda: False,
        warning=None,
        curve_point=None,
        read_error=lambda: None,
        memory_request=None,
    )


def test_repeated_jobs_are_not_counted():
    launcher = Launcher(preflight=None)
    launcher.preflight = preflight
    launcher.hydra_context = launcher.task_function = None
    sweep = [["old", "0.8"], ["old", "0.9"], ["new", "0.8"], ["new", "0.9"]]
    jobs, skip_reasons = launcher._check_jobs(sweep, 0)
    assert skip_reasons == {0: "done before"}
    assert list(jobs) == [2]
    assert isinstance(jobs[2], Job)
