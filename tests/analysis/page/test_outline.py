"""The table of contents: one entry per mechanism, or per condition if there are several."""

from types import SimpleNamespace

from analysis.page.outline import Outline


def make_section(condition, question):
    anchor = f"{question}-{condition}".replace(" ", "-")
    return SimpleNamespace(
        condition=condition, question=question, anchor=anchor, title="", claims=[]
    )


def list_below_why(conditions):
    mechanisms = [
        make_section(condition, question) for condition in conditions for question in ("a", "b")
    ]
    sections = [make_section(condition, "") for condition in conditions]
    (why,) = [
        entry for entry in Outline([], sections, mechanisms).list_entries() if entry.anchor == "why"
    ]
    return [(entry.anchor, entry.title) for entry in why.below]


def test_mechanisms_of_several_conditions_stand_below_their_condition():
    assert list_below_why([""]) == [("a-", "a"), ("b-", "b")]
    assert list_below_why(["width 8", "width 16"]) == [
        ("a-width-8", "width 8"),
        ("a-width-16", "width 16"),
    ]
    assert list_below_why([f"width {width}" for width in range(13)]) == []
