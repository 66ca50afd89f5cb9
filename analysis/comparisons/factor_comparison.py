"""The comparison of the values of one factor, whatever its key is."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pandas as pd

from analysis.abbreviation import abbreviate
from analysis.claim import Claim, Finding, Verdict
from analysis.claim_names import Topic
from analysis.comparisons.base import Comparison, FactorSection, build_table
from analysis.comparisons.degradation_by_value import EVERYWHERE, judge_each_value
from analysis.comparisons.factor_figures import plot_factor
from analysis.comparisons.fixes_by_value import judge_fixes
from analysis.comparisons.networks import group_networks
from analysis.comparisons.size_by_value import judge_gain, judge_size
from analysis.comparisons.value_sentences import describe_fixes, join_labels
from analysis.condition_labels import (
    NONE_LABELS,
    NULL,
    OPTIONS_PREFIX,
    format_values,
    is_null,
    name_key,
)
from analysis.factors import Factor, Stratum
from analysis.key_columns import MEASURING_KEYS, PREFIX
from analysis.plain_text import capitalise_first

SAFE_NAME = re.compile(r"(data|model|optim|schedule|precision|parent)([._][a-z0-9]+)+")
MAX_STEM = 60  # characters
MAX_FOLLOWER_VALUES = 6  # values of a key that the introduction lists


def build_section(key: str) -> FactorSection:
    """Return how to present the comparison of a key that no paper makes claims about."""
    words = name_key(key)
    caption = f"Training error of the last iteration by {words}."
    return FactorSection(capitalise_first(words), _file_stem(key), words, caption)


def _file_stem(key: str) -> str:
    """Return the stem of a key's files, such as `model-width`.

    A key outside the schema's sections may have a name that is too long, lacks letters or clashes
    with another file's; a checksum then takes its place.
    """
    name = key.removeprefix(PREFIX)
    if len(name) <= MAX_STEM and SAFE_NAME.fullmatch(name):
        return re.sub("[._]", "-", name)
    return f"key-{hashlib.sha256(name.encode(errors='backslashreplace')).hexdigest()[:8]}"


def compare_values(
    factor: Factor, section: FactorSection, margins: Mapping[str, float]
) -> Comparison:
    """Return the comparison of a factor's values, within each of its strata.

    Arguments: those of `judge_factor`.
    """
    used_margins = {margins[stratum.data_set] for stratum in factor.strata}
    return Comparison(
        name=section.name,
        title=section.title,
        claims=judge_factor(factor, section, margins),
        table=_build_table(factor),
        figures=plot_factor(factor, section),
        introduction=_introduce(factor),
        margin=used_margins.pop() if len(used_margins) == 1 else None,
        run_ids=tuple(
            run_id for stratum in factor.strata for run_id in stratum.frame.runs["run_id"]
        ),
    )


def judge_factor(
    factor: Factor, section: FactorSection, margins: Mapping[str, float]
) -> list[Claim]:
    """Return the paper's claims about a factor, and the findings about its values.

    Args:
        factor: the factor.
        section: how it is presented, and what the paper claims about it.
        margins: the margin of the claims for each data set, in points of training error.
    """
    introduction = _introduce(factor)
    judged: list[tuple[Claim, Stratum]] = []
    for stratum in factor.strata:
        margin = margins[stratum.data_set]
        claims = judge_values(factor.key, stratum, margin)
        if varies_alone(stratum, section):
            claims = [*section.judge(stratum.frame.runs, margin), *claims]
        if introduction:
            claims = [_add_note(claim, introduction) for claim in claims]
        judged += [(claim, stratum) for claim in claims]
    return _name_strata(judged)


def varies_alone(stratum: Stratum, section: FactorSection) -> bool:
    """Return whether nothing else varies with the factor, except for what the section allows."""
    allowed = section.followers
    return all(allowed and key.startswith(allowed) for key in stratum.followers)


def judge_values(key: str, stratum: Stratum, margin: float) -> list[Claim]:
    """Return the findings about the values of a factor in one stratum.

    If the plain networks do not vary with the factor, as with the shortcut, the first two findings
    are about the residual networks.
    """
    name = name_key(key)
    runs = stratum.frame.runs
    plain = group_networks(stratum, lambda pair: pair.plain)
    residual = group_networks(stratum, lambda pair: pair.residual)
    varying = [networks for networks in (plain, residual) if networks.has_distinct_networks()]
    findings: list[Claim] = []
    if varying:
        finding = judge_each_value(runs, varying[0], name, margin)
        if varying[0] is plain and finding.verdict is not Verdict.NOT_TESTED:
            fixes = describe_fixes(judge_fixes(stratum, margin), name, margin)
            finding = replace(
                finding,
                headline=f"{finding.headline} {fixes}".strip(),
                states_values=finding.states_values or bool(fixes),
            )
        findings.append(finding)
        size = judge_size(runs, varying[0], name, margin)
        if finding.answer != EVERYWHERE:
            # The headline of the first finding says what differs between the values.
            size = replace(size, headline="")
        findings.append(size)
    if varying and len(plain.by_value.keys() & residual.by_value.keys()) > 1:
        findings.append(judge_gain(runs, plain, residual, name, margin))
    return findings


def _add_note(claim: Claim, note: str) -> Claim:
    """Return a finding with one more note; a claim of the paper is judged where it needs none."""
    return replace(claim, notes=[*claim.notes, note]) if isinstance(claim, Finding) else claim


def _name_strata(judged: Sequence[tuple[Claim, Stratum]]) -> list[Claim]:
    """Return the claims with the stratum in their names and headlines, if there are several strata.

    Strata with the same headline share one, that of the first. Each stratum has one sentence in the
    headline, so the difference between sizes gets none.
    """
    strata_of: dict[str, list[str]] = {}
    for claim, stratum in judged:
        if isinstance(claim, Finding) and claim.headline:
            strata_of.setdefault(claim.headline, []).append(stratum.label)
    named = []
    for claim, stratum in judged:
        if not stratum.label:
            named.append(claim)
            continue
        changed = replace(claim, name=f"{claim.name}, {stratum.label}")
        if isinstance(claim, Finding) and isinstance(changed, Finding) and claim.headline:
            labels = strata_of.pop(claim.headline, [])
            is_named = labels and claim.topic is not Topic.SIZE_BY_VALUE
            where = capitalise_first(join_labels(labels))
            headline = f"{where}: {claim.headline}" if is_named else ""
            changed = replace(changed, headline=headline)
        named.append(changed)
    return named


def _build_table(factor: Factor) -> pd.DataFrame:
    """Return one row per stratum, value, family and depth."""
    tables = []
    for stratum in factor.strata:
        table = build_table(stratum.frame.runs, factor.key)
        for place, (key, value) in enumerate(stratum.others.items()):
            table.insert(place, key.removeprefix(PREFIX), None if is_null(value) else value)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _introduce(factor: Factor) -> str:
    """Return which other keys vary with the factor, so that their effects cannot be separated."""
    strata_of: dict[str, list[str]] = {}
    for stratum in factor.strata:
        for follower in stratum.followers:
            if follower in MEASURING_KEYS:
                continue
            values = f"{name_key(follower)}: {_describe_follower(follower, stratum)}"
            strata_of.setdefault(values, []).append(stratum.label)
    if not strata_of:
        return ""
    parts = []
    for values, labels in strata_of.items():
        is_everywhere = len(labels) == len(factor.strata)
        parts.append(values if is_everywhere else f"{values} ({join_labels(labels)})")
    return f"With the {name_key(factor.key)} vary: {'; '.join(parts)}."


def _describe_follower(follower: str, stratum: Stratum) -> str:
    """Return the value of a key at each value of the factor, such as `1e-4 (optimiser sgd)`."""
    values = {value: stratum.conditions[value].values[follower] for value in stratum.labels}
    texts = format_values(values.values())
    short_key = follower.removeprefix(PREFIX)
    texts = {
        value: "none" if (short_key, text) in NONE_LABELS else text for value, text in texts.items()
    }
    texts[NULL] = "no such option" if follower.startswith(PREFIX + OPTIONS_PREFIX) else "none"
    parts = [f"{texts[values[value]]} ({label})" for value, label in stratum.labels.items()]
    return abbreviate(parts, most=MAX_FOLLOWER_VALUES)
