"""What is wrong with a query on the table of runs, in one line that says what to type instead."""

import re
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from keyword import iskeyword

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.condition_labels import sort_values
from analysis.key_columns import drop_prefix
from degradation.config.errors import quote

BACKTICKS = "a name that has . or / needs backticks, such as `optim.lr`"
# A text between quotes, a name between backticks, a local variable, or a name with its parts.
TOKEN = re.compile(
    r"""(?P<text>"[^"]*"|'[^']*')|`(?P<quoted>[^`]*)`|@\w+|(?P<bare>[^\W\d]\w*([./][^\W\d]\w*)*)"""
)
# The arguments of a call, or a bracket without =, in a query whose names are replaced by x.
ARGUMENTS = re.compile(r"x\([^()]*\)|\([^()=]*\)")
ASSIGNMENT = re.compile(r"(?<![=<>!])=(?!=)")
NO_COLUMN = "no such column"
MAX_VALUES = 12  # values of a column that a message lists


def describe_invalid_query(query: str, runs: pd.DataFrame, error: Exception) -> str:
    """Return why a query cannot be evaluated, and what to type instead.

    The columns are listed only if the query names one that does not exist.

    Args:
        query: what the user has typed.
        runs: the table with every name that a query may use.
        error: what pandas raised.
    """
    if _has_assignment(query):
        return "use == to compare, not ="
    columns = [str(name) for name in drop_prefix(runs)]
    problems: list[str] = []
    is_about_name = isinstance(error, NameError | AttributeError)
    if is_about_name:
        for name, is_quoted in _list_names(query):
            problem = _find_problem(name, is_quoted, runs, columns)
            if problem is not None:
                problems.append(problem)
    reason = "; ".join(dict.fromkeys(problems)) or " ".join(str(error).split())
    if not is_about_name:
        return reason
    if problems and not any(problem.endswith(NO_COLUMN) for problem in problems):
        return reason  # which says what to type instead
    return f"{reason}; columns ({BACKTICKS}): {', '.join(columns)}"


def _has_assignment(query: str) -> bool:
    """Return whether a query has a single =, outside texts, names and the arguments of calls."""
    bare = TOKEN.sub("x", query)
    nested = ""
    while bare != nested:
        nested, bare = bare, ARGUMENTS.sub("x", bare)
    return ASSIGNMENT.search(bare) is not None


def list_values(query: str, runs: pd.DataFrame) -> str:
    """Return the values that the columns of a query have: `depth: 20, 56; family: 'plain'`."""
    columns: dict[str, str] = {}
    for name, _ in _list_names(query):
        column = _find_column(name, runs)
        if column is not None:
            columns[column] = _format_values(runs[column])
    return "; ".join(f"{name}: {values}" for name, values in columns.items())


def _list_names(query: str) -> Iterator[tuple[str, bool]]:
    """Yield the names in a query, each with whether it is in backticks."""
    for match in TOKEN.finditer(query):
        # what follows a bracket or a text and a dot is a method, such as .startswith
        is_method = query[: match.start()].endswith(".")
        if match["quoted"] is not None:
            yield match["quoted"], True
        elif match["bare"] is not None and not iskeyword(match["bare"]) and not is_method:
            yield match["bare"], False


def _find_column(name: str, runs: pd.DataFrame) -> str | None:
    """Return the column that a name begins with, or None: `depth` of `depth.isin`."""
    parts = re.split(r"([./])", name)
    for length in range(len(parts), 0, -2):
        column = "".join(parts[:length])
        if column in runs:
            return column
    return None


def _find_problem(
    name: str, is_quoted: bool, runs: pd.DataFrame, columns: Sequence[str]
) -> str | None:
    """Return what is wrong with a name in a query, or None."""
    column = name if is_quoted and name in runs else _find_column(name, runs)
    if is_quoted and column != name:
        column = None
    if column is not None:
        needs_backticks = not is_quoted and not column.isidentifier()
        return f"{column} needs backticks: `{column}`" if needs_backticks else None
    holders = [str(key) for key in columns if (runs[key] == name).any()] if not is_quoted else []
    if holders:
        return f"{name} is text, which needs quotes: {holders[0]} == {name!r}"
    return f"{name}: {NO_COLUMN}{_suggest_column(name, columns)}"


def _suggest_column(name: str, columns: Sequence[str]) -> str:
    """Return which column may be meant, in brackets: a key by its last part, or a similar name."""
    keys = [column for column in columns if column.endswith(f".{name}")]
    candidates = keys or get_close_matches(name, columns, n=1)
    if not candidates:
        return ""
    texts = [column if column.isidentifier() else f"`{column}`" for column in candidates]
    return f" (did you mean {' or '.join(texts)}?)"


def _format_values(column: pd.Series) -> str:
    """Return the different values of a column, each as a query holds it."""
    texts = [quote(value) for value in sort_values(column.astype(object))]
    if column.isna().any():
        texts.append("no value")
    return abbreviate(texts, most=MAX_VALUES)
