"""Mutate a sample of the code that decides numbers, and count the mutants that the tests detect.

    make mutants                            300 mutants, seed 0: under an hour on two cores
    make mutants COUNT=20 ONLY=analysis     20 mutants of files whose path begins with `analysis`

Prints how many are detected in each module, and writes the others to build/mutants.txt.
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

from operators import Mutant, list_changes
from selected_tests import TESTS

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
TIMEOUT_FACTOR, MIN_TIMEOUT_S = 3.0, 60.0  # relative to the tests of the unchanged code


def list_sources(only: str) -> list[Path]:
    """Return the files that are mutated."""
    return [ROOT / name for name in sorted(TESTS) if name.startswith(only)]


def find_tests(path: Path) -> str:
    """Return the tests of a source file, as patterns separated by spaces."""
    return TESTS[path.relative_to(ROOT).as_posix()]


def diff_lines(mutant: Mutant) -> list[str]:
    """Return the lines that change, with - and +."""
    before, after = mutant.path.read_text().splitlines(), mutant.code.splitlines()
    changed = difflib.unified_diff(before, after, n=0, lineterm="")
    return [line for line in changed if not line.startswith(("---", "+++", "@@"))]


def format_mutant(mutant: Mutant) -> str:
    """Return a mutant as one line: its file and its change, without the line number."""
    change = " ".join(f"{line[0]} {line[1:].strip()}" for line in diff_lines(mutant))
    return f"{mutant.path.relative_to(ROOT)}: {change}"


def read_equivalent() -> set[str]:
    """Return the mutants that are known to change no behaviour."""
    lines = EQUIVALENT.read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def draw(paths: list[Path], count: int, seed: int) -> list[Mutant]:
    """Draw a sample of all mutants of these files, except those known to be equivalent."""
    changes = [change for path in paths for change in list_changes(path)]
    random.Random(seed).shuffle(changes)
    equivalent = read_equivalent()
    mutants = (change.mutant() for change in changes)
    distinct = (mutant for mutant in mutants if format_mutant(mutant) not in equivalent)
    sample = list(islice(distinct, count))
    print(f"testing {len(sample)} of {len(changes)} mutants", flush=True)
    return sample


# --- one worker: a copy of the tree, in a process that has done the slow imports


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
    paths = [str(folder / "src"), str(folder)]
    sys.path[:0] = paths
    os.environ |= {"PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}
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
    """Return whether tests pass in the copy, which is the working folder, and their seconds."""
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        _run_pytest(tests)
    ended = 0
    while not ended and time.monotonic() - began < timeout:
        time.sleep(0.05)
        ended, status = os.waitpid(child, os.WNOHANG)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # and any process that the tests started
    if not ended:
        os.waitpid(child, 0)
    return bool(ended) and os.waitstatus_to_exitcode(status) == 0, time.monotonic() - began


def _run_pytest(tests: str) -> None:
    """Run the tests in this child process, and end it."""
    code = 3
    try:
        os.setsid()
        # A shell's background jobs ignore SIGINT.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        options += ["-m", "not slow and not cluster"]
        paths = [str(path) for pattern in tests.split() for path in sorted(Path().glob(pattern))]
        code = int(pytest.main([*options, f"--basetemp={Path.cwd()}/tmp", *paths]))
    finally:
        os._exit(code)


def run_mutant(job: tuple[Mutant, float]) -> tuple[Mutant, bool]:
    """Return a mutant and whether its tests fail or hang. `job`: the mutant and its timeout."""
    mutant, timeout = job
    copy = Path.cwd() / mutant.path.relative_to(ROOT)
    content = copy.read_text()
    copy.write_text(mutant.code)
    try:
        passed, _ = run_tests(find_tests(mutant.path), timeout)
    finally:
        copy.write_text(content)
    return mutant, not passed


def run_unchanged(tests: str) -> tuple[str, bool, float]:
    """Return the tests, whether they pass on the unchanged code, and their seconds."""
    return tests, *run_tests(tests, UNCHANGED_TIMEOUT_S)


# --- the command


def measure(sample: list[Mutant], workers: int) -> Iterator[tuple[Mutant, bool]]:
    """Yield each mutant, and whether it is detected, as soon as that is known."""
    context = multiprocessing.get_context("fork")
    with (
        tempfile.TemporaryDirectory(prefix="mutants-") as folder,
        # Not a Pool, whose daemons could not have children.
        ProcessPoolExecutor(workers, context, prepare, (folder,)) as pool,
    ):
        timeouts = {}
        selections = sorted({find_tests(mutant.path) for mutant in sample})
        for tests, passed, seconds in pool.map(run_unchanged, selections):
            if not passed:
                sys.exit(f"these tests fail on the unchanged code: {tests}")
            timeouts[tests] = max(MIN_TIMEOUT_S, TIMEOUT_FACTOR * seconds)
        jobs = [(mutant, timeouts[find_tests(mutant.path)]) for mutant in sample]
        yield from pool.map(run_mutant, jobs)


def print_detection_rates(detections: dict[Path, list[bool]]) -> None:
    """Print how many mutants are detected, by module and in total."""
    for path, results in sorted(detections.items()):
        print(f"{sum(results):4} of {len(results):4} detected  {path.relative_to(ROOT)}")
    detected = sum(sum(results) for results in detections.values())
    total = sum(len(results) for results in detections.values())
    print(f"{detected:4} of {total:4} detected: {100 * detected / max(1, total):.1f} %")


def write_survivors(survivors: list[Mutant]) -> None:
    """Write the mutants that no test detects, each with the line for equivalent.txt."""
    SURVIVORS.parent.mkdir(exist_ok=True)
    with open(SURVIVORS, "w") as file:
        for mutant in sorted(survivors, key=lambda survivor: (survivor.path, survivor.line)):
            place = f"{mutant.path.relative_to(ROOT)}:{mutant.line}"
            lines = [place, *diff_lines(mutant), f"# {format_mutant(mutant)}", ""]
            file.write("\n".join(lines) + "\n")
    print(f"undetected mutants: {SURVIVORS.relative_to(ROOT)}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=300, help="number of mutants in the sample")
    parser.add_argument("--seed", type=int, default=0, help="seed from which the sample is drawn")
    parser.add_argument("--only", default="", help="mutate only files whose path begins with this")
    parser.add_argument("--workers", type=int, default=2, help="number of worker processes")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    sample = draw(list_sources(arguments.only), arguments.count, arguments.seed)
    detections: dict[Path, list[bool]] = {}
    survivors = []
    for number, (mutant, is_detected) in enumerate(measure(sample, arguments.workers), start=1):
        detections.setdefault(mutant.path, []).append(is_detected)
        if not is_detected:
            survivors.append(mutant)
        if sys.stdout.isatty():
            print(f"\r{number} done, {len(survivors)} not detected", end="", flush=True)
    print()
    print_detection_rates(detections)
    write_survivors(survivors)


if __name__ == "__main__":
    main()
