"""Change a sample of the code that decides numbers, one place at a time, and count how many changes the tests notice.

    make mutants                            300 mutants, the seed 0, under an hour on two cores
    make mutants COUNT=20 ONLY=analysis     20 of those whose path begins with this

Prints the share that is noticed, module by module, and writes the changes that are not into build/mutants.txt.
"""

import argparse
import difflib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path

from operators import Mutant, changes_of
from tests_of import TESTS

ROOT = Path(__file__).parents[2]
COPIED = (
    "src",
    "analysis",
    "conf",
    "experiments",
    "tests",
    "pyproject.toml",
    "Makefile",
    "docs",
)
SURVIVORS = ROOT / "build" / "mutants.txt"
EQUIVALENT = Path(__file__).parent / "equivalent.txt"
UNCHANGED_TIMEOUT_S = 1200.0
TIMEOUT_FACTOR, TIMEOUT_LEAST_S = 3.0, 60.0  # of the time that the unchanged code's tests take


def sources(only: str) -> list[Path]:
    """The files that have mutants."""
    return [ROOT / name for name in sorted(TESTS) if name.startswith(only)]


def tests_of(path: Path) -> str:
    return TESTS[path.relative_to(ROOT).as_posix()]


def diff(mutant: Mutant) -> list[str]:
    """The lines that change, - and +."""
    before, after = mutant.path.read_text().splitlines(), mutant.code.splitlines()
    changed = difflib.unified_diff(before, after, n=0, lineterm="")
    return [line for line in changed if not line.startswith(("---", "+++", "@@"))]


def key(mutant: Mutant) -> str:
    """A mutant in a line: its file and its change, without the number of the line, which moves."""
    change = " ".join(f"{line[0]} {line[1:].strip()}" for line in diff(mutant))
    return f"{mutant.path.relative_to(ROOT)}: {change}"


def known_equivalent() -> set[str]:
    lines = EQUIVALENT.read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def draw(paths: list[Path], count: int, seed: int) -> list[Mutant]:
    """A sample of all mutants of these files, without those that are known to be equivalent."""
    changes = [change for path in paths for change in changes_of(path)]
    random.Random(seed).shuffle(changes)
    equivalent = known_equivalent()
    mutants = (change.mutant() for change in changes)
    sample = list(islice((mutant for mutant in mutants if key(mutant) not in equivalent), count))
    print(f"{len(sample)} of {len(changes)} mutants", flush=True)
    return sample


# --- one worker: a copy of the tree, and a process that has imported what takes long


def prepare(parent: str) -> None:
    """Copy the tree for this worker, and import what every test needs and no mutant changes."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    os.chdir(folder)
    places = [str(folder / "src"), str(folder)]
    sys.path[:0] = places
    os.environ |= {"PYTHONPATH": os.pathsep.join(places), "PYTHONDONTWRITEBYTECODE": "1"}
    sys.dont_write_bytecode = True
    import hydra  # noqa: F401
    import pandas  # noqa: F401
    import pytest  # noqa: F401
    import scipy.stats  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import torch
    import torchvision.transforms.v2  # noqa: F401
    import wandb  # noqa: F401

    torch.set_num_threads(1)


def run_tests(tests: str, timeout: float) -> tuple[bool, float]:
    """Do they pass, in the copy that is the working folder, and how many seconds do they take?"""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _be_pytest(tests)
    ended = 0
    while not ended and time.monotonic() - began < timeout:
        time.sleep(0.05)
        ended, status = os.waitpid(child, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it has left behind too
    if not ended:
        os.waitpid(child, 0)
    return bool(ended) and os.waitstatus_to_exitcode(status) == 0, time.monotonic() - began


def _be_pytest(tests: str) -> None:
    """In a child: run the tests and end."""
    code = 3
    try:
        os.setsid()
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # a shell's background jobs ignore it
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        import pytest

        options = [
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "-m",
            "not slow and not cluster",
        ]
        places = [str(path) for pattern in tests.split() for path in sorted(Path().glob(pattern))]
        code = int(pytest.main([*options, f"--basetemp={Path.cwd()}/tmp", *places]))
    finally:
        os._exit(code)


def is_noticed(job: tuple[Mutant, float]) -> tuple[Mutant, bool]:
    mutant, timeout = job
    copy = Path.cwd() / mutant.path.relative_to(ROOT)
    content = copy.read_text()
    copy.write_text(mutant.code)
    try:
        passed, _ = run_tests(tests_of(mutant.path), timeout)
    finally:
        copy.write_text(content)
    return mutant, not passed


def unchanged(tests: str) -> tuple[str, bool, float]:
    return tests, *run_tests(tests, UNCHANGED_TIMEOUT_S)


# --- the whole


def measure(sample: list[Mutant], workers: int) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant as soon as it is known whether it is noticed."""
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as folder,
        ProcessPoolExecutor(
            workers, context, prepare, (folder,)
        ) as pool,  # a Pool's daemons could not have children
    ):
        timeouts = {}
        for tests, passed, seconds in pool.map(
            unchanged, sorted({tests_of(one.path) for one in sample})
        ):
            if not passed:
                sys.exit(f"these fail on the code as it is: {tests}")
            timeouts[tests] = max(TIMEOUT_LEAST_S, TIMEOUT_FACTOR * seconds)
        jobs = [(mutant, timeouts[tests_of(mutant.path)]) for mutant in sample]
        yield from pool.map(is_noticed, jobs)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300, help="mutants in the sample")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--only", default="", help="files whose path begins with this")
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    sample = draw(sources(given.only), given.count, given.seed)

    noticed: dict[Path, list[bool]] = {}
    survivors = []
    for number, (mutant, seen) in enumerate(measure(sample, given.workers), start=1):
        noticed.setdefault(mutant.path, []).append(seen)
        if not seen:
            survivors.append(mutant)
        if sys.stdout.isatty():
            print(f"\r{number} done, {len(survivors)} not noticed", end="", flush=True)
    print()
    for path, seen in sorted(noticed.items()):
        print(f"{sum(seen):4} of {len(seen):4} noticed  {path.relative_to(ROOT)}")
    total = len(sample) - len(survivors)
    print(f"{total:4} of {len(sample):4} noticed: {100 * total / max(1, len(sample)):.1f} %")

    SURVIVORS.parent.mkdir(exist_ok=True)
    with open(SURVIVORS, "w") as file:
        for mutant in sorted(survivors, key=lambda one: (one.path, one.line)):
            place = f"{mutant.path.relative_to(ROOT)}:{mutant.line}"
            file.write("\n".join([place, *diff(mutant), f"# {key(mutant)}", ""]) + "\n")
    print(f"those not noticed: {SURVIVORS.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
