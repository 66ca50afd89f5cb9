"""The part `overhead`: an experiment's wall time against the bare loop, and without probes.

The bare loop trains the same networks on the same augmented batches, with the same slots and fork
server; it evaluates and records nothing, and uses neither W&B nor Hydra. The variants take
turns seed by seed, so that a machine whose speed drifts changes their ratios little. The duration
of the whole comparison is estimated first, from a few iterations of each network.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate

from benchmarks.networks import refuse_constructed
from degradation.config import Config, ConfigError
from degradation.counting import format_count
from degradation.errors import UserError
from degradation.sweep.expand import compose_launcher
from degradation.sweep.runs import SweepRun, expand_runs
from hydra_plugins.pool_launcher import Pool
from hydra_plugins.pool_launcher.launcher import PoolConfig, PoolLauncher
from hydra_plugins.sweep_launcher import Job, Stopped, format_duration

if TYPE_CHECKING:
    from degradation.training.trainer import Trainer

TRAIN = Path(__file__).resolve().parents[1] / "experiments/train.py"
UNTIMED_ITERATIONS = 5  # before them; the first are slower, and a CUDA graph is captured in one
SAMPLED_ITERATIONS = 10  # of each network, for the estimate
WHOLE_RATIO = 1.25  # of train.py to the bare loop; only the estimate depends on it


class RunFailedInBenchmark(UserError):
    """A run failed, so there is nothing to compare."""


@dataclass(frozen=True)
class Seconds:
    """Wall time of the same runs, trained in three ways."""

    bare: float  # the training loop alone
    whole: float  # train.py as a user starts it
    without_probes: float  # train.py with probes=none

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(
            self.bare + other.bare,
            self.whole + other.whole,
            self.without_probes + other.without_probes,
        )

    @property
    def ratio(self) -> float:
        """Wall time of train.py divided by that of the bare loop."""
        return self.whole / self.bare

    @property
    def probe_cost(self) -> float:
        """What probes add to the wall time without them, in percent."""
        return 100 * (self.whole / self.without_probes - 1)


def build_trainer(config: Config) -> "Trainer":
    from degradation.data.datasets import load_dataset
    from degradation.training.device import choose_device, make_reproducible
    from degradation.training.trainer import Trainer

    make_reproducible(config.threads, config.precision)
    return Trainer(config, load_dataset(config.data), choose_device(config.device))


def train_bare(config: Config) -> None:
    """Run the training loop alone, to the end of its last step."""
    from benchmarks.loop_processes import wait_for_device

    trainer = build_trainer(config)
    for _ in range(config.schedule.iterations):
        trainer.step()
    wait_for_device(trainer.device)


def time_iterations(config: Config) -> float:
    """Return the seconds of one iteration, from a few after the first ones."""
    from benchmarks.loop_processes import wait_for_device

    trainer = build_trainer(config)
    for _ in range(UNTIMED_ITERATIONS):
        trainer.step()
    wait_for_device(trainer.device)
    start = time.monotonic()
    for _ in range(SAMPLED_ITERATIONS):
        trainer.step()
    wait_for_device(trainer.device)
    return (time.monotonic() - start) / SAMPLED_ITERATIONS


def describe_cost(config: Config) -> str:
    """Return a text that is equal for runs whose iterations cost the same."""
    return f"{config.model} {config.optim.batch_size} {config.precision}"


def build_launcher(overrides: list[str]) -> PoolLauncher:
    """Return the launcher that the overrides select. Raises ConfigError if it is not the pool."""
    settings = compose_launcher(overrides)
    if settings._target_ != PoolConfig._target_:
        raise ConfigError(
            "hydra/launcher: another launcher cannot be timed against the bare training loop, which"
            " needs this machine; allowed: pool"
        )
    launcher: PoolLauncher = instantiate(settings)
    return launcher


def run_pool(
    launcher: PoolLauncher, runs: list[SweepRun], function: Callable[[Config], Any], folder: Path
) -> list[Any]:
    """Call a function with each run's configuration, in a pool with a fork server of its own.

    Raises RunFailedInBenchmark, CompactHydraException.
    """
    jobs = []
    for run in runs:
        log = folder / f"{run.run_id}.log"
        jobs.append(Job(run.run_id, partial(function, run.config), run.config.model.depth, log))
    slots = launcher.find_slots([run.config for run in runs])
    try:
        results = Pool(slots, launcher.preload).run(jobs)
    except Stopped as stopped:
        sys.exit(128 + stopped.signum)
    for result in results:
        if result.error is not None:
            raise RunFailedInBenchmark(f"the bare training loop failed: {result.error}")
    return [result.value for result in results]


def estimate_seconds(launcher: PoolLauncher, runs: list[SweepRun]) -> float:
    """Return how long the benchmark takes, from a few iterations of each network.

    What the sample takes besides its iterations is what each of the three parts takes for every
    seed: to start processes, and to load data and networks. Raises RunFailedInBenchmark,
    CompactHydraException.
    """
    from degradation.sweep.cost import makespan

    slots = len(launcher.find_slots([run.config for run in runs]))
    samples = {describe_cost(run.config): run for run in reversed(runs)}
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        timed = run_pool(launcher, list(samples.values()), time_iterations, Path(name))
    iterations = UNTIMED_ITERATIONS + SAMPLED_ITERATIONS
    sampled_seconds = makespan([iterations * seconds for seconds in timed], slots)
    startup = time.monotonic() - start - sampled_seconds
    iteration_seconds = dict(zip(samples, timed, strict=True))
    estimate = 0.0
    for _, group in groupby(runs, key=lambda run: run.config.seed):
        bare = [
            run.config.schedule.iterations * iteration_seconds[describe_cost(run.config)]
            for run in group
        ]
        estimate += 3 * startup + (1 + 2 * WHOLE_RATIO) * makespan(bare, slots)
    return estimate


def time_bare(launcher: PoolLauncher, runs: list[SweepRun], folder: Path) -> float:
    """Return the seconds of the bare loops. Raises RunFailedInBenchmark."""
    start = time.monotonic()
    run_pool(launcher, runs, train_bare, folder)
    return time.monotonic() - start


def time_sweep(overrides: list[str], seed: int, folder: Path) -> float:
    """Return the seconds of train.py as a user starts it, with new records."""
    own_overrides = [
        *overrides,
        f"seed={seed}",
        f"record_root={folder / 'runs'}",
        f"hydra.sweep.dir={folder / 'logs'}",
    ]
    start = time.monotonic()
    with subprocess.Popen([sys.executable, str(TRAIN), *own_overrides]) as process:
        try:
            status = process.wait()
        except KeyboardInterrupt:
            process.wait()  # Ctrl-C has reached it too, and it stops its runs first
            raise
    seconds = time.monotonic() - start
    if status:
        sys.exit(status)  # train.py has printed why
    return seconds


def time_seed(
    launcher: PoolLauncher, runs: list[SweepRun], overrides: list[str], seed: int
) -> Seconds:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = time_bare(launcher, runs, folder)
        whole = time_sweep(overrides, seed, folder / "whole")
        without = time_sweep([*overrides, "probes=none"], seed, folder / "without")
        return Seconds(bare, whole, without)


def measure_overhead(overrides: list[str]) -> dict[str, Any]:
    """Print how long the comparison takes, then its results, and return them as a table's row.

    Raises ConfigError, RunFailedInBenchmark, CompactHydraException.
    """
    runs = sorted(expand_runs(overrides), key=lambda run: run.config.seed)
    refuse_constructed([run.config for run in runs])
    launcher = build_launcher(overrides)
    estimate = format_duration(estimate_seconds(launcher, runs))
    count = format_count(len(runs), "run is", "runs are")
    print(f"{count} trained three times: about {estimate}", flush=True)
    total = Seconds(0.0, 0.0, 0.0)
    for seed, group in groupby(runs, key=lambda run: run.config.seed):
        runs_of_seed = list(group)
        seconds = time_seed(launcher, runs_of_seed, overrides, seed)
        total += seconds
        print(
            f"seed {seed}: {format_count(len(runs_of_seed), 'run')}, bare {seconds.bare:.1f} s,"
            f" whole {seconds.whole:.1f} s, ratio {seconds.ratio:.3f};"
            f" without probes {seconds.without_probes:.1f} s,"
            f" so probes cost {seconds.probe_cost:+.1f} %",
            flush=True,
        )
    print(
        f"{format_count(len(runs), 'run')}: bare training loop {format_duration(total.bare)},"
        f" whole {format_duration(total.whole)}, ratio {total.ratio:.3f};"
        f" without probes {format_duration(total.without_probes)},"
        f" so probes cost {total.probe_cost:+.1f} %"
    )
    slots = launcher.find_slots([run.config for run in runs])
    return build_row(runs, len(slots), total)


def build_row(runs: list[SweepRun], slots: int, total: Seconds) -> dict[str, Any]:
    """Return the row of the table. `slots`: how many runs are trained at once."""
    from benchmarks.machine import describe_device, describe_software
    from degradation.training.device import choose_device

    config = runs[0].config
    device = choose_device(config.device)
    return {
        "device": describe_device(device),
        "device_type": device.type,
        "experiment": config.name,
        "runs": len(runs),
        "at_once": slots,
        "bare_seconds": round(total.bare, 1),
        "whole_seconds": round(total.whole, 1),
        "ratio": round(total.ratio, 3),
        "seconds_without_probes": round(total.without_probes, 1),
        "probe_cost_percent": round(total.probe_cost, 1),
        **describe_software(),
    }
