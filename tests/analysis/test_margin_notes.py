"""A report says that its margin was chosen, and says nothing of a default one."""

from analysis.margin_notes import describe_chosen_margins


def test_only_a_margin_other_than_the_default_is_named():
    assert describe_chosen_margins({"digits": 2.0, "cifar10": 0.5}) == []
    assert describe_chosen_margins({"digits": 60.0, "cifar10": 0.5}) == [
        "the margin was chosen for this report: 60 points of training error, instead of the 2 of"
        " digits"
    ]
    assert describe_chosen_margins({"a data set of other code": 1.0}) == []
