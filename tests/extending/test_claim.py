"""CONTRIBUTING.md, "A claim": one function in the list of claims."""

import pytest

from analysis import claims
from tests.support.recipes import execute, read_recipe

PATH = "analysis/claims.py"


@pytest.mark.parametrize(
    ("deepest", "verdict"), [([0.1, 0.2, 0.15], "reproduced"), ([3.1, 3.2, 3.0], "contradicted")]
)
def test_new_claim_is_judged(monkeypatch, build_frame, deepest, verdict):
    defined = execute(read_recipe("A claim")[PATH], claims, PATH)
    monkeypatch.setattr(claims, "CLAIMS", defined["CLAIMS"])
    frame = build_frame({"residual": {20: [1.0, 1.1, 1.2], 56: deepest}})
    claim = claims.judge(frame.runs, margin=2.0)[-1]
    assert claim.name == "depth helps"
    assert claim.verdict == verdict
    assert claim.decisive_line.startswith("56 minus 20 layers: ")
