"""Numbers of things in messages are in the singular where they are one."""

from degradation.counting import format_count


def test_one_is_singular():
    assert [format_count(count, "run") for count in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
    assert format_count(10_000, "run") == "10,000 runs"
    assert format_count(1, "entry", "entries") == "1 entry"
    assert format_count(3, "entry", "entries") == "3 entries"
