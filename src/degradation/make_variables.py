"""Print which variables of make's command line are mistakes; make then refuses them.

    python3 src/degradation/make_variables.py "EXPERIMENT SEEDS ..." NAME ...

The first argument lists the variables that may be set; the names are the others that were set. A
name that nobody could mean for this Makefile is not a mistake: V=1 out of habit, a variable of an
outer make, or an environment variable such as CUDA_VISIBLE_DEVICES, which make passes on. Runs as a
file on any Python 3, before there is a .venv.
"""

import difflib
import re
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2]
# The groups of conf/ whose keys describe a run: a run without them would be another one
GROUPS = ("data", "model", "optim", "precision", "probes", "schedule")
# Other Makefiles have these names, although they resemble some of this one
COMMON = {"AR", "ARCH", "ARFLAGS", "AS", "CFLAGS", "PATH", "TAGS", "TARGET", "TARGETS"}
# What other tools call a key of conf/, or several keys of one name
SYNONYMS = {
    "BATCH",
    "DATASET",
    "DEVICES",
    "ENTITY",
    "EPOCHS",
    "GPU",
    "GPUS",
    "ITERS",
    "LAYERS",
    "NGPUS",
    "NUM_GPUS",
    "OPTIMISER",
    "OPTIMIZER",
    "STEPS",
}


def find_mistakes(allowed: list[str], names: list[str]) -> list[str]:
    """Return the names that are refused, each with the nearest allowed name if there is one."""
    reserved = _read_own_variables() | _read_keys()
    mistakes = []
    for name in names:
        close = difflib.get_close_matches(name.upper(), allowed, n=1)
        if close and name not in COMMON:
            mistakes.append(f"{name} (did you mean {close[0]}?)")
        elif "." in name or {name, name.lower()} & reserved or name.upper() in SYNONYMS:
            mistakes.append(name)
    return mistakes


def _read_own_variables() -> set[str]:
    """Return what the Makefile defines: another value would change what its recipes do."""
    makefile = (FOLDER / "Makefile").read_text(encoding="utf-8")
    return set(re.findall(r"^(\w+) *[:?]?=", makefile, re.MULTILINE))


def _read_keys() -> set[str]:
    """Return the names of the groups of conf/ and the keys that describe a run."""
    conf = FOLDER / "conf"
    names = {path.name for path in conf.glob("*") if path.is_dir()}
    files = [*conf.glob("config.yaml")]
    for group in GROUPS:
        files += conf.glob(f"{group}/*.yaml")
    for path in files:
        text = path.read_text(encoding="utf-8")
        names.update(re.findall(r"^(\w+):", text, re.MULTILINE))
    return names


if __name__ == "__main__":
    print(", ".join(find_mistakes(sys.argv[1].split(), sys.argv[2:])))
