"""Hash the code that determines a run's numbers, so that changes to it can be detected.

Comments, docstrings and formatting do not change a hash. A different hash does not imply different
numbers: `degradation.code_comparison` computes whether the numbers are still the same. Free of
torch.
"""

import secrets
from functools import cache

from degradation.external_code import ExternalCodeError, hash_module
from degradation.registry import (
    BLOCKS,
    DATASETS,
    NETWORKS,
    OPTIMIZERS,
    PACKAGE,
    SHAPES,
    VISIBLE,
)
from degradation.source_hash import HASH_DIGITS, hash_source, hash_text

# Paths relative to the package. What these import must be listed too if it affects numbers.
FOLDERS = ("data", "models", "optimizers", "schedules", "training")
FILES = ("config/architecture.py", "config/options.py", "config/schedule.py")

CodeHashes = dict[str, str]  # file, or module of a definition outside the package -> hash


def hash_numerical_code(
    block: str,
    dataset: str,
    optimizer: str = "sgd",
    shape: str = "step",
    network: str = "resnet",
) -> CodeHashes:
    """Return the hash of each source file that determines the numbers of a run.

    Args:
        block: `model.block` of the run.
        dataset: `data.name` of the run.
        optimizer, shape: `optim.name` and `schedule.shape` of the run.
        network: `model.network` of the run.

    What is defined outside the package, in a script for instance, adds the source of its module and
    of what that imports from its folder.
    What is not registered adds nothing: a record may refer to a module that has not been imported.
    Nor does what is given by its file (`module:Name`), since the run id covers its source.
    """
    hashes = dict(hash_package())
    pieces = (
        (BLOCKS, block),
        (NETWORKS, network),
        (DATASETS, dataset),
        (OPTIMIZERS, optimizer),
        (SHAPES, shape),
    )
    for registry, name in pieces:
        if name not in registry.names():
            continue
        module = registry.module(name)
        if not module.startswith(f"{__package__}."):
            hashes[module] = _hash_external(module)
    return hashes


def combine_hashes(hashes: CodeHashes) -> str:
    """Return one hash of all files."""
    lines = [f"{name} {digest}\n" for name, digest in sorted(hashes.items())]
    return hash_text("".join(lines))


def list_changed_files(before: CodeHashes, after: CodeHashes) -> list[str]:
    """Return the files that were changed, added or removed, sorted."""
    names = before.keys() | after.keys()
    return sorted(name for name in names if before.get(name) != after.get(name))


@cache
def hash_package() -> CodeHashes:
    """Return the hashes of this package's files as they are at the first call in this process.

    A process that imports the code calls this then, so that the hashes are those of what it
    executes, even if the files are edited later.
    """
    return _read_package_hashes()


def list_edited_files() -> list[str]:
    """Return the files of this package that differ now from what `hash_package` has returned."""
    return list_changed_files(hash_package(), _read_package_hashes())


def _read_package_hashes() -> CodeHashes:
    paths = [PACKAGE / name for name in FILES]
    for folder in FOLDERS:
        paths += (PACKAGE / folder).rglob(f"{VISIBLE}.py")
    return {
        path.relative_to(PACKAGE).as_posix(): hash_source(path.read_text(encoding="utf-8"))
        for path in sorted(paths)
    }


def _hash_external(module: str) -> str:
    """Return the hash of a module outside the package and of what it imports from its folder.

    A notebook has no file, and its cells may use each other: a change of them cannot be detected,
    so the hash is random and never matches.
    """
    try:
        return hash_module(module)
    except ExternalCodeError:
        return secrets.token_hex(HASH_DIGITS // 2)
