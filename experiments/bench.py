"""Compare the wall time of an experiment with the bare training loop, and with probes and without.

python experiments/bench.py experiment=quick

The bare loop trains the same networks on the same augmented batches, with the same slots and fork
server; it evaluates and records nothing, and uses neither W&B nor Hydra. The variants alternate
seed by seed, so that a machine whose speed drifts favours none of them.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

from omegaconf import OmegaConf

from degradation.cli import Parser, add_overrides, run_script
from degradation.config import CONF, Config, ConfigError
from degradation.errors import UserError
from degradation.sweep.jobs import SweepRun, expand_runs
from hydra_plugins.pool_launcher import Pool, find_slots
from hydra_plugins.sweep_launcher import Job, Stopped, format_duration

TRAIN = Path(__file__).with_name("train.py")


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


def train_bare(config: Config) -> None:
    """Run the training loop alone."""
    from degradation.data.datasets import load_dataset
    from degradation.training.device import choose_device, make_reproducible
    from degradation.training.trainer import Trainer

    make_reproducible(config.threads)
    trainer = Trainer(config, load_dataset(config.data), choose_device(config.device))
    for _ in range(config.schedule.iterations):
        trainer.step()


def time_bare(runs: list[SweepRun], folder: Path) -> float:
    """Return the seconds of the bare loops, in a pool with a fork server of its own.

    Raises RunFailedInBenchmark.
    """
    launcher = OmegaConf.load(CONF / "hydra/launcher/pool.yaml")
    config = runs[0].config
    slots = find_slots(
        config.device, launcher.slots, launcher.slots_per_gpu, config.threads, launcher.count_gpus
    )
    jobs = []
    for run in runs:
        log = folder / f"{run.run_id}.log"
        jobs.append(Job(run.run_id, partial(train_bare, run.config), run.config.model.depth, log))
    start = time.monotonic()
    try:
        results = Pool(slots, launcher.preload).run(jobs)
    except Stopped as stopped:
        sys.exit(128 + stopped.signum)
    seconds = time.monotonic() - start
    for result in results:
        if result.error is not None:
            raise RunFailedInBenchmark(f"the bare training loop failed: {result.error}")
    return seconds


def time_sweep(overrides: list[str], seed: int, folder: Path) -> float:
    """Return the seconds of train.py as a user starts it, with new records."""
    own_overrides = [
        *overrides,
        f"seed={seed}",
        f"record_root={folder / 'runs'}",
        f"hydra.sweep.dir={folder / 'logs'}",
    ]
    start = time.monotonic()
    completed = subprocess.run([sys.executable, str(TRAIN), *own_overrides], check=False)
    seconds = time.monotonic() - start
    if completed.returncode:
        sys.exit(completed.returncode)  # train.py has printed why
    return seconds


def time_seed(runs: list[SweepRun], overrides: list[str], seed: int) -> Seconds:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bare = time_bare(runs, folder)
        whole = time_sweep(overrides, seed, folder / "whole")
        without = time_sweep([*overrides, "probes=none"], seed, folder / "without")
        return Seconds(bare, whole, without)


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_overrides(parser)
    overrides = parser.parse_intermixed_args().overrides
    runs = sorted(expand_runs(overrides), key=lambda run: run.config.seed)
    if any(run.config.model.grown_from is not None for run in runs):
        raise ConfigError(
            "model.grown_from: a constructed network cannot be timed, since it starts from the"
            " network of another run; allowed: null"
        )
    total = Seconds(0.0, 0.0, 0.0)
    for seed, group in groupby(runs, key=lambda run: run.config.seed):
        runs_of_seed = list(group)
        seconds = time_seed(runs_of_seed, overrides, seed)
        total += seconds
        print(
            f"seed {seed}: {len(runs_of_seed)} runs, bare {seconds.bare:.1f} s,"
            f" whole {seconds.whole:.1f} s, ratio {seconds.ratio:.3f};"
            f" without probes {seconds.without_probes:.1f} s,"
            f" so probes cost {seconds.probe_cost:+.1f} %"
        )
    print(
        f"{len(runs)} runs: bare training loop {format_duration(total.bare)},"
        f" whole {format_duration(total.whole)}, ratio {total.ratio:.3f};"
        f" without probes {format_duration(total.without_probes)},"
        f" so probes cost {total.probe_cost:+.1f} %"
    )


if __name__ == "__main__":
    run_script(main)
