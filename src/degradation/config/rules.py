"""Rules for the value of a single key, attached to the fields of the schema."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from degradation.config.errors import is_single_line
from degradation.external_code import is_identity, is_reference
from degradation.registry import Registry

MAX_FILE_NAME_BYTES = 255  # on every common file system
MAX_PATH_BYTES = 4096 - 2 * MAX_FILE_NAME_BYTES  # leaves room for the names below a record root
MAX_NAME_CHARACTERS = 100  # W&B accepts 128, and a name becomes part of longer ones


class Rule(Protocol):
    """A rule that the values of a key follow."""

    @property
    def allowed(self) -> str:
        """The allowed values in words, for messages."""

    @property
    def accepts(self) -> Callable[[Any], bool]:
        """A function that returns whether a value of the key's type is allowed."""


@dataclass(frozen=True)
class Predicate:
    """A rule that one function checks, with its description."""

    allowed: str
    accepts: Callable[[Any], bool]


@dataclass(frozen=True)
class OneOf:
    """One of several names, which are looked up at each check, since a registry may grow."""

    names: Callable[[], Iterable[str]]

    @property
    def allowed(self) -> str:
        return ", ".join(self.names())

    def accepts(self, value: Any) -> bool:
        return value in self.names()


@dataclass(frozen=True)
class Registered:
    """A registered name, or a definition in a file of the user's own.

    Records hold the latter with a hash of the file, which need not exist where they are read.
    Whether a file that is to be run exists is checked with the whole configuration.
    """

    registry: Registry
    example: str  # the name of a definition in messages

    @property
    def allowed(self) -> str:
        names = ", ".join(self.registry.names())
        return f"{names}; or your own: my_module:{self.example}, path/to/file.py:{self.example}"

    def describe_allowed(self, value: str) -> str:
        """Return what is allowed in place of a value: the definitions in the file that it names."""
        return ", ".join(self.registry.list_references(value)) or self.allowed

    def accepts(self, value: str) -> bool:
        return value in self.registry.names() or is_reference(value) or is_identity(value)


@dataclass(frozen=True)
class SomeOf:
    """A list of names without repetition."""

    names: Callable[[], Iterable[str]]

    @property
    def allowed(self) -> str:
        return f"a list of different names out of {', '.join(self.names())}"

    def accepts(self, values: list[str]) -> bool:
        return set(values) <= set(self.names()) and len(set(values)) == len(values)


@dataclass(frozen=True)
class EachOf:
    """A list whose every item follows a rule."""

    rule: Rule

    @property
    def allowed(self) -> str:
        return f"a list, each item {self.rule.allowed}"

    def accepts(self, values: list[Any]) -> bool:
        return all(self.rule.accepts(value) for value in values)


def choice(*names: str) -> Rule:
    """Return the rule of a key that is one of these names."""
    return OneOf(lambda: names)


def whole_number(low: int, high: int) -> Rule:
    """Return the rule of an integer from `low` to `high`, both allowed.

    The upper bounds in the schema are far above any sensible value, and low enough that no value
    exhausts a machine.
    """
    return Predicate(f"a whole number, {low} to {high}", lambda value: low <= value <= high)


def number(low: float, high: float) -> Rule:
    """Return the rule of a number from `low` to `high`, both allowed."""
    return Predicate(f"a number, {low:g} to {high:g}", lambda value: low <= value <= high)


def odd_number(high: int) -> Rule:
    """Return the rule of an odd integer from 3 to `high`, so that one point is in the middle."""
    return Predicate(
        f"an odd number, 3 to {high}", lambda value: 3 <= value <= high and value % 2 == 1
    )


def _is_name(value: str) -> bool:
    return (
        value.strip(" .") != ""
        and len(value) <= MAX_NAME_CHARACTERS
        and not set(value) & set("/\\:")
        and is_single_line(value)
    )


def _is_folder_path(value: str) -> bool:
    return (
        value.strip() != ""
        and is_single_line(value)
        and all(len(name.encode()) <= MAX_FILE_NAME_BYTES for name in value.split("/"))
        and len(value.encode()) < MAX_PATH_BYTES
    )


POSITIVE = Predicate("a positive number", lambda value: 0 < value < math.inf)
NOT_NEGATIVE = Predicate("a number, 0 or more", lambda value: 0 <= value < math.inf)
BELOW_ONE = Predicate("a number, 0 or more and less than 1", lambda value: 0 <= value < 1)
TIMEOUT = Predicate(
    "a number of seconds, more than 0 and at most 86400", lambda value: 0 < value <= 86400
)
SEED = Predicate("a whole number, 0 to 2**63 - 1", lambda value: 0 <= value < 2**63)
COUNT = whole_number(1, 10**9)
ITERATIONS = whole_number(1, 10**9)
DURATION = Predicate(  # a fraction is resolved before the rule is checked
    f"{ITERATIONS.allowed}, or a fraction of schedule.iterations such as 0.1", ITERATIONS.accepts
)
DURATION_OR_ZERO = Predicate(
    "a whole number, 0 to 1000000000, or a fraction of schedule.iterations such as 0.1",
    whole_number(0, 10**9).accepts,
)
DURATIONS = Predicate(
    "a list of iterations, or of fractions of schedule.iterations such as [0.5,0.75]",
    lambda iterations: all(iteration >= 0 for iteration in iterations),
)
SIDE = whole_number(1, 16384)  # pixels
BATCH = whole_number(1, 2**20)
DEPTH = whole_number(1, 100_000)
WORKERS = whole_number(0, 1024)
PAIR_OF_SIDES = Predicate("two sides in pixels, such as [256,480]", lambda sides: len(sides) == 2)
NAME = Predicate(
    f"a name of at most {MAX_NAME_CHARACTERS} characters, without / \\ : or line breaks", _is_name
)
WANDB_NAME = Predicate(
    f"a name of at most {MAX_NAME_CHARACTERS} characters, without / \\ # ? % : or line breaks",
    lambda value: _is_name(value) and not set(value) & set("#?%"),
)
OPTIONS = Predicate(
    "options with one value each, such as {shortcut_scale: 0.5}",
    lambda options: all(isinstance(value, bool | int | float | str) for value in options.values()),
)
FOLDER = Predicate("the path of a folder, without line breaks", _is_folder_path)
# A shell expands ~, but neither Hydra nor Python does: a folder of this name would be created
FOLDER_WITHOUT_TILDE = Predicate(
    "the path of a folder, without line breaks and without ~ for the home folder",
    lambda value: _is_folder_path(value) and not value.startswith("~"),
)
