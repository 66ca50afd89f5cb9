"""All cases: each claim of the experiment `quick` under each truth that is assumed for it.

Values are drawn independently from normal distributions, three seeds per network. Their means and
standard deviations are those of the tables in the ledger.
"""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from analysis.power import measured_values
from analysis.power.probes import probe_cases
from analysis.power.simulation import Case
from analysis.power.times import Design, form_cases, slowing_cases
from analysis.power.training import training_cases

# One row per run and fraction of chance error
# (analysis.mechanisms.time_to_threshold.measure_times).
TIMES = "times.csv"


def all_cases(ledger: Path, margin: float, designs: Mapping[str, Design]) -> list[Case]:
    """Return every case, in the order of docs/verdicts.md.

    Args:
        ledger: folder of the tables of `quick`.
        margin: difference of training errors that counts, in points.
        designs: by experiment; the first is that of `quick`.
    """
    times = pd.read_csv(ledger / TIMES)
    quick = next(iter(designs.values()))
    return [
        *training_cases(measured_values.read_training_errors(ledger), margin),
        *form_cases(times, designs),
        *slowing_cases(times, quick),
        *probe_cases(ledger, margin),
    ]
