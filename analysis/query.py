"""Select the records under a root by a pandas query, as `--where` and `load_runs` do."""

from pathlib import Path

import pandas as pd

from analysis.frame import Frame, load
from analysis.key_columns import add_short_names
from analysis.missing_records import describe_nested_records
from analysis.query_errors import describe_invalid_query, list_values
from degradation.records.root import list_run_ids
from degradation.records.schema import RecordError


def load_where(
    root: Path | str,
    query: str | None,
    error_kind: str = "clean",
    with_probes: bool = True,
    option: str = "where",
) -> Frame:
    """Return the frame of all records under a root for which a pandas query is true.

    A query is an expression over `Frame.runs`, such as `family == "plain" and depth < 60`, or None
    for all records. A key is called `optim.lr` or `config.optim.lr`, with the backticks.

    Args:
        option: what messages call the query.

    Raises RecordError if the query is invalid or selects nothing.
    """
    expected = [{"run_id": run_id} for run_id in list_run_ids(root)]
    if not expected:
        nested = describe_nested_records(root)
        raise RecordError(nested or f"{root}: contains no records")
    frame = load(root, expected, error_kind, with_probes)
    if frame.runs.empty:
        raise RecordError(f"{root}: contains no readable records: {'; '.join(frame.excluded)}")
    if query is None or query == "":
        return frame
    try:
        selected = frame.runs[_evaluate(frame.runs, query)]
    except Exception as error:  # anything that the expression raises is for the user to correct
        problem = describe_invalid_query(query, add_short_names(frame.runs), error)
        raise RecordError(f"{option}: {query!r} is not a valid query: {problem}") from None
    if selected.empty:
        values = list_values(query, add_short_names(frame.runs))
        message = f"{root}: contains no records for which {query!r} is true"
        raise RecordError(f"{message}; values: {values}" if values else message)
    return frame.select(selected.index)


def _evaluate(runs: pd.DataFrame, query: str) -> pd.Series:
    """Return whether the query is true, for each run. Raises TypeError if it is not a condition.

    `DataFrame.query` would take a number for a row's label, and a list for those of rows.
    """
    result = add_short_names(runs).eval(query)
    if not isinstance(result, pd.Series) or not result.index.equals(runs.index):
        raise TypeError("it has no value for each run")
    if result.dtype != bool:
        raise TypeError("its values are neither true nor false")
    return result
