"""The order of what experiments/report.py does."""

import runpy
from types import SimpleNamespace

import pytest


@pytest.mark.parametrize("arguments", [["--records", "runs"], ["model=plain"]])
def test_index_is_written_before_anything_is_printed(monkeypatch, arguments):
    """A terminal that cannot print the summary leaves no report without its index entry."""
    main = runpy.run_path("experiments/report.py")["main"]
    done = []
    monkeypatch.setattr("sys.argv", ["report.py", *arguments])
    for name in ("report_records", "report_sweep", "update_index", "print_summary"):
        monkeypatch.setitem(
            main.__globals__, name, lambda *_, name=name: done.append(name) or SimpleNamespace()
        )
    main()
    assert done[1:] == ["update_index", "print_summary"]
