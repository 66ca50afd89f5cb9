"""The networks of one kind, plain or residual, at each value of a factor."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.claim import RunsByDepth
from analysis.error_increase import select_better_than_chance
from analysis.evidence import describe_networks
from analysis.factors import Stratum
from analysis.family_pairs import FamilyPair, family_pair
from analysis.frame import group_by_depth
from analysis.gap import Reason
from analysis.requirements import missing_requirements


@dataclass(frozen=True)
class Networks:
    """The networks with or without shortcuts at each value of a factor.

    Attributes:
        family: their family, such as `plain`; two families if the factor is the order in a block.
        by_value: the runs of each depth, by the label of the value, such as `width 8`. A value
            without such networks is absent.
        absent: the labels of the values without such networks.
    """

    family: str
    by_value: Mapping[str, RunsByDepth]
    absent: list[str]

    def has_distinct_networks(self) -> bool:
        """Return whether the networks of two values differ.

        They do not differ if the factor has no effect on them: a plain network is the same run
        whatever shortcut the residual networks have.
        """
        distinct = {frozenset(_list_run_ids(groups)) for groups in self.by_value.values()}
        return len(distinct) > 1

    def find_gaps(self, depths: int) -> list[Reason]:
        """Return what a verdict on these networks lacks, or an empty list.

        `depths`: the number of depths that are needed at each value.
        """
        families = {f"{label} {self.family}": groups for label, groups in self.by_value.items()}
        return missing_requirements(families, depths)

    def list_shared_depths(self) -> list[int]:
        """Return the depths that have runs at every value, shallowest first."""
        return sorted(set.intersection(*map(set, self.by_value.values())))

    def list_depths_better_than_chance(self) -> list[int]:
        """Return the depths better than chance at every value, shallowest first."""
        trained = [set(select_better_than_chance(groups)) for groups in self.by_value.values()]
        return sorted(set.intersection(*trained))

    def describe_no_better_than_chance(self) -> str:
        """Return what is untrained: `width 8: 56 layers; width 16: 56, 110 layers`."""
        parts = []
        for label, groups in self.by_value.items():
            untrained = groups.keys() - select_better_than_chance(groups).keys()
            if untrained:
                parts.append(f"{label}: {', '.join(map(str, sorted(untrained)))} layers")
        return "; ".join(parts)

    def list_notes(self) -> list[str]:
        """Return notes on untrained and diverged networks, unequal seeds, and absent values."""
        notes = self._list_unequal_seeds()
        for label, groups in self.by_value.items():
            notes += [f"{label}: {note}" for note in describe_networks(groups)]
        if self.absent:
            notes.append(f"without {self.family} networks: {', '.join(self.absent)}")
        return notes

    def _list_unequal_seeds(self) -> list[str]:
        """Return a note if the values, or their depths, have different numbers of seeds."""
        seeds = {
            label: [runs["seed"].nunique() for runs in groups.values()]
            for label, groups in self.by_value.items()
        }
        if len({count for counts in seeds.values() for count in counts}) == 1:
            return []
        parts = []
        for label, counts in seeds.items():
            fewest, most = min(counts), max(counts)
            number = str(most) if fewest == most else f"{fewest} to {most}"
            parts.append(f"{label}: {number}")
        return [
            f"{self.family} networks have different numbers of seeds per depth"
            f" ({'; '.join(parts)}); with fewer seeds, bounds are wider"
        ]


def group_networks(stratum: Stratum, family_of: Callable[[FamilyPair], str]) -> Networks:
    """Return the networks that `family_of` selects from each condition's pair of families."""
    by_value = {}
    absent = []
    families = []
    for value, condition in stratum.conditions.items():
        runs = condition.frame.runs
        family = family_of(family_pair(runs))
        families.append(family)
        groups = group_by_depth(runs, family)
        if groups:
            by_value[stratum.labels[value]] = groups
        else:
            absent.append(stratum.labels[value])
    return Networks(" and ".join(dict.fromkeys(families)), by_value, absent)


def select_values(networks: Networks, labels: list[str]) -> Networks:
    """Return the networks at these values only."""
    by_value = {label: networks.by_value[label] for label in labels}
    return Networks(networks.family, by_value, networks.absent)


def _list_run_ids(groups: RunsByDepth) -> list[str]:
    return pd.concat(groups.values())["run_id"].tolist()
