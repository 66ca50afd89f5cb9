"""The examples of docs/python.md run from top to bottom, in an empty folder."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs/python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PRINTED = re.compile(r"^prints\n\n    (.*)$", re.MULTILINE)


@pytest.mark.slow
def test_examples_of_the_page_run(tmp_path):
    page = PAGE.read_text(encoding="utf-8")
    blocks = BLOCK.findall(page)
    assert len(blocks) == 7
    program = "import matplotlib\nmatplotlib.use('agg')\n" + "\n".join(blocks)
    result = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert len(list((tmp_path / "runs").glob("*/DONE"))) == 8
    assert (tmp_path / "curves.png").stat().st_size > 10_000
    lines = result.stdout.splitlines()
    assert lines[-1] == PRINTED.search(page)[1]
    assert lines[-3] == lines[-2]  # the errors of the plain network and of the deeper one
