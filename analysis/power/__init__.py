"""How probable each verdict is, if a truth is assumed: the claims themselves, on runs that are drawn at random.

Nothing of a claim is written again here: runs and probe tables are made up and handed to the claims' own functions.
"""

from analysis.power.cases import all_cases
from analysis.power.simulation import Case, simulate
from analysis.power.times import Design

__all__ = ["Case", "Design", "all_cases", "simulate"]
