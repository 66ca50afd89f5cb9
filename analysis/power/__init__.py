"""Simulated power: the probability of each verdict on a claim under an assumed truth.

No rule of a claim is repeated here. Runs and probe tables are drawn at random under the assumed
truth and passed to the functions that judge recorded runs.
"""

from analysis.power.cases import all_cases
from analysis.power.simulation import Case, simulate
from analysis.power.times import Design

__all__ = ["Case", "Design", "all_cases", "simulate"]
