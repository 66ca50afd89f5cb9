"""Time an experiment's runs against the bare training loop of the same runs, and with probes against without.

python experiments/bench.py experiment=quick

Bare is the same networks, batches, augmentation and updates over the same slots and fork server: no evaluation, no
records, no W&B, no Hydra. All take turns, seed by seed, so that a machine whose speed drifts favours none.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from functools import partial
from itertools import groupby
from pathlib import Path

from omegaconf import OmegaConf

from degradation.cli import Parser, run_script
from degradation.config import CONF, Config, ConfigError
from degradation.sweep import jobs
from hydra_plugins.pool_launcher import Pool, list_slots, list_visible_gpus
from hydra_plugins.sweep_launcher import Job, Stopped, format_duration

TRAIN = Path(__file__).with_name("train.py")


def bare(config: Config) -> None:
    """The training loop and nothing else."""
    from degradation.data.datasets import load_dataset
    from degradation.training.device import choose_device, make_reproducible
    from degradation.training.trainer import Trainer

    make_reproducible(config.threads)
    training = Trainer(config, load_dataset(config.data), choose_device(config.device))
    for _ in range(config.schedule.iterations):
        training.step()


def time_bare(runs: list[jobs.SweepRun], folder: Path) -> float:
    """Seconds, in a process of its own fork server as the sweep has one."""
    launcher = OmegaConf.load(CONF / "hydra/launcher/pool.yaml")
    config = runs[0].config
    places = list_slots(
        config.device, launcher.slots, launcher.slots_per_gpu, config.threads, list_visible_gpus()
    )
    jobs = [
        Job(
            run.run_id,
            partial(bare, run.config),
            run.config.model.depth,
            folder / f"{run.run_id}.log",
        )
        for run in runs
    ]
    started = time.monotonic()
    try:
        results = Pool(places, launcher.preload).run(jobs)
    except Stopped as stopped:
        sys.exit(128 + stopped.signum)
    seconds = time.monotonic() - started
    if failed := [result.error for result in results if result.error]:
        raise SystemExit(f"a bare run failed: {failed[0]}")
    return seconds


def time_sweep(overrides: list[str], seed: int, folder: Path) -> float:
    """Seconds of train.py as a user starts it, with fresh records."""
    words = [
        *overrides,
        f"seed={seed}",
        f"record_root={folder / 'runs'}",
        f"hydra.sweep.dir={folder / 'logs'}",
    ]
    started = time.monotonic()
    done = subprocess.run([sys.executable, str(TRAIN), *words], check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        raise SystemExit(done.returncode)
    return seconds


def main() -> None:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("overrides", nargs="*", help="as for train.py")
    overrides = parser.parse_intermixed_args().overrides
    runs = sorted(jobs.expand_runs(overrides), key=lambda run: run.config.seed)
    whole_total = bare_total = without_total = 0.0
    if any(run.config.model.grown_from is not None for run in runs):
        raise ConfigError(
            "model.grown_from: a constructed network is not timed, since it begins from another run"
        )
    for seed, of_seed in groupby(runs, key=lambda run: run.config.seed):
        with tempfile.TemporaryDirectory() as folder:
            part = list(of_seed)
            alone = time_bare(part, Path(folder))
            whole = time_sweep(overrides, seed, Path(folder) / "whole")
            without = time_sweep([*overrides, "probes=none"], seed, Path(folder) / "without")
            print(
                f"seed {seed}: {len(part)} runs, bare {alone:.1f} s, whole {whole:.1f} s, ratio {whole / alone:.3f};"
                f" without probes {without:.1f} s, so they cost {100 * (whole / without - 1):+.1f} %"
            )
            bare_total, whole_total, without_total = (
                bare_total + alone,
                whole_total + whole,
                without_total + without,
            )
    print(
        f"{len(runs)} runs: bare training loop {format_duration(bare_total)}, whole {format_duration(whole_total)},"
        f" ratio {whole_total / bare_total:.3f}; without probes {format_duration(without_total)},"
        f" so they cost {100 * (whole_total / without_total - 1):+.1f} %"
    )


if __name__ == "__main__":
    run_script(main)
