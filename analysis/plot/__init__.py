"""The figures of a report, one panel at a time, for notebooks: `degradation.plot`.

Every function takes a table that `load_runs`, `load_curves` or `load_probes` returned (all of it,
or rows of it), draws one panel and returns its Axes. Without `ax`, the panel is that of a new
pyplot figure in the style of the report, which a notebook shows. With `ax`, the style is the
user's own; `side_by_side()` returns Axes in the style of the report, for panels to be compared.
matplotlib's settings are as before afterwards.

Errors are in percent; families and depths have the colours and line styles of the report.
"""

# This import precedes all others, since some of them import matplotlib without the user's settings.
from analysis.plot.panel import panel, side_by_side

# isort: split
from analysis.plot.probes import (
    effective_lengths,
    gradient_flow,
    gradient_identity,
    landscape_contours,
    landscape_line,
    lesions,
    paths,
    responses,
    shattering,
    single_deletions,
)
from analysis.plot.results import error_against, error_against_depth, error_against_iteration

__all__ = [
    "effective_lengths",
    "error_against",
    "error_against_depth",
    "error_against_iteration",
    "gradient_flow",
    "gradient_identity",
    "landscape_contours",
    "landscape_line",
    "lesions",
    "panel",
    "paths",
    "responses",
    "shattering",
    "side_by_side",
    "single_deletions",
]
