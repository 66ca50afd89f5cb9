"""The tables of docs/performance.md, written from the ledger's tables of the benchmarks.

Everything between a marker and the end marker is replaced:

    <!-- table of bench: step -->
    <!-- end of table -->

The part check_gpu is what experiments/check_gpu.py has printed, in the ledger's check-gpu.txt.

Free of torch.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.tables import read_rows
from degradation.counting import format_count
from degradation.durable_io import write_atomically

LEDGER = Path("experiments/ledger/bench")
DOCUMENT = Path("docs/performance.md")
PARTS = ("step", "several", "evaluation", "alternatives", "overhead")
CPU_PARTS = ("alternatives",)  # those that a GPU does not have
SELF_CHECK, SELF_CHECK_FILE = "check_gpu", "check-gpu.txt"
NOT_MEASURED = "not measured"
BLOCK = re.compile(
    r"(?P<start><!-- table of bench: (?P<part>\w+) -->\n).*?(?P<end><!-- end of table -->)",
    re.DOTALL,
)

Row = Mapping[str, str]


def write_document(ledger: Path = LEDGER, document: Path = DOCUMENT) -> None:
    """Write the tables of a document again. Raises OSError."""
    text = document.read_text(encoding="utf-8")
    write_atomically(document, fill_tables(text, ledger).encode())


def fill_tables(text: str, ledger: Path) -> str:
    """Return a text with the tables between its markers written again.

    Args:
        ledger: the folder with the tables of the parts.
    """

    def fill(block: re.Match[str]) -> str:
        return f"{block['start']}{write_table(block['part'], ledger)}{block['end']}"

    return BLOCK.sub(fill, text)


def write_table(part: str, ledger: Path) -> str:
    """Return a part's table in Markdown, or a line that says how it is measured.

    A row without numbers says that no CUDA GPU has been measured, if there is none.
    """
    if part == SELF_CHECK:
        printed = (ledger / SELF_CHECK_FILE).read_text(encoding="utf-8")
        return f"```text\n{printed}```\n"
    path = ledger / f"{part}.csv"
    if not path.exists():
        command = f"make bench PART={part} ARGS=--ledger"
        return f"{NOT_MEASURED.capitalize()}; `{command}` writes this table.\n"
    rows = read_rows(path)
    columns = COLUMNS[part]
    lines = [list(columns), ["---"] * len(columns)]
    lines += [[describe(row) for describe in columns.values()] for row in rows]
    if part not in CPU_PARTS and not any(row["device_type"] == "cuda" for row in rows):
        lines.append(["a CUDA GPU", *[NOT_MEASURED] * (len(columns) - 1)])
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _read(name: str) -> Callable[[Row], str]:
    return lambda row: row[name]


def _format_thousands(name: str) -> Callable[[Row], str]:
    return lambda row: f"{float(row[name]):,.0f}"


def _describe_loops(row: Row) -> str:
    """Return what ran: the loop, how many at once, their threads, and how steps were launched."""
    runs = int(row["runs"])
    text = row["loop"] if runs == 1 else f"{row['loop']}, {runs} at once"
    if row["device_type"] == "cpu":
        each = "" if runs == 1 else " each"
        return f"{text}, {format_count(int(row['threads']), 'thread')}{each}"
    is_on_cuda = row["device_type"] == "cuda" and row["loop"] != "reference"
    return f"{text}, {row['steps']}" if is_on_cuda else text


def _describe_speed(row: Row) -> str:
    lowest, highest = float(row["lowest"]), float(row["highest"])
    return f"{float(row['images_per_second']):,.0f} ({lowest:,.0f} to {highest:,.0f})"


def _describe_ratio(row: Row) -> str:
    lowest, highest = float(row["ratio_lowest"]), float(row["ratio_highest"])
    return f"{float(row['ratio']):.2f} ({lowest:.2f} to {highest:.2f})"


def _describe_share(row: Row) -> str:
    return f"{row['share_percent']} %"


SPEED_COLUMNS: dict[str, Callable[[Row], str]] = {
    "card or processor": _read("device"),
    "network": _read("network"),
    "images": _read("images"),
    "precision": _read("precision"),
    "what ran": _describe_loops,
    "images per second": _describe_speed,
    "minutes for 64,000 iterations": _read("minutes"),
    "ratio": _describe_ratio,
}
COLUMNS: dict[str, dict[str, Callable[[Row], str]]] = {
    "step": SPEED_COLUMNS,
    "several": SPEED_COLUMNS,
    "evaluation": {
        "card or processor": _read("device"),
        "network": _read("network"),
        "images": _read("images"),
        "precision": _read("precision"),
        "threads": _read("threads"),
        "evaluated images per second": _describe_speed,
        "evaluations": _read("evaluations"),
        "seconds each": _read("seconds_per_evaluation"),
        "share of the run": _describe_share,
    },
    "alternatives": {
        "card or processor": _read("device"),
        "network": _read("network"),
        "images": _read("images"),
        "precision": _read("precision"),
        "threads": _read("threads"),
        "alternative": _read("alternative"),
        "images per second, as a ratio": _describe_ratio,
        "the same bits after 20 updates": _read("same_bits"),
    },
    "overhead": {
        "card or processor": _read("device"),
        "experiment": _read("experiment"),
        "runs": _read("runs"),
        "at once": _read("at_once"),
        "bare loop (s)": _format_thousands("bare_seconds"),
        "whole (s)": _format_thousands("whole_seconds"),
        "ratio": _read("ratio"),
        "without probes (s)": _format_thousands("seconds_without_probes"),
        "cost of probes (%)": _read("probe_cost_percent"),
    },
}
