"""Tables of verdicts between the markers of the ledger's text."""

from analysis.ledger_tables import fill_tables, write_table
from tests.support.report_summaries import make_summary, make_verdict

TEXT = """before
<!-- verdicts of quick: condition -->
| old |
<!-- end of verdicts -->
between
<!-- verdicts of other: condition -->
| kept |
<!-- end of verdicts -->
"""


def test_only_the_tables_of_the_entry_are_written():
    verdicts = [
        make_verdict(decisive_line="+57.02 points"),
        make_verdict(section_kind="mechanism", claim="short paths"),
    ]
    new = fill_tables(TEXT, "quick", make_summary(verdicts=verdicts))
    assert new == TEXT.replace(
        "| old |\n",
        "| claim | verdict | decided by |\n| --- | --- | --- |\n"
        "| degradation | reproduced | +57.02 points |\n",
    )
    assert fill_tables(new, "quick", make_summary(verdicts=verdicts)) == new
    assert fill_tables(TEXT, "third", make_summary(verdicts=verdicts)) == TEXT


def test_findings_have_answers_and_conditions_a_column():
    finding = make_verdict(kind="finding", section_kind="comparison", outcome="alike")
    assert write_table([finding]).startswith("| finding | answer | decided by |")
    conditions = [make_verdict(section=f"Width {width}") for width in (4, 8)]
    assert write_table(conditions).splitlines()[2:] == [
        "| Width 4 | degradation | reproduced |  |",
        "| Width 8 | degradation | reproduced |  |",
    ]
    assert write_table([]) == ""


def test_contradictions_are_bold_unless_negligible():
    contradicted = make_verdict(verdict="contradicted", outcome="contradicted")
    negligible = make_verdict(verdict="contradicted", outcome="negligible", is_negligible=True)
    assert "| **contradicted** |" in write_table([contradicted])
    assert "| negligible |" in write_table([negligible])


def test_cells_stay_in_one_line():
    assert "a \\| b c" in write_table([make_verdict(decisive_line="a | b\nc")])
