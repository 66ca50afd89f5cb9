"""A stand-in for W&B's server that has mirrored the generated runs."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import METRICS_FILE
from tests.support.wandb_server import ENTITY, KEY, PROJECT, finished_run, format_row, stand_in


class _History(Mapping[int, str]):
    """The lines of a run's history, read on demand: those of 10,000 runs would fill the memory."""

    def __init__(self, root: Path, run_id: str) -> None:
        self.root = root
        self.run_id = run_id

    def __getitem__(self, number: int) -> str:
        return _read_lines(self.root, self.run_id)[number]

    def __len__(self) -> int:
        return len(_read_lines(self.root, self.run_id))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


@lru_cache(maxsize=2)
def _read_lines(root: Path, run_id: str) -> list[str]:
    return [*map(format_row, Record(root, run_id).valid_prefix(METRICS_FILE))]


@contextmanager
def serve_records(root: Path, group: str) -> Iterator[dict[str, str]]:
    """Serve all records under a root; yields the environment in which wandb uses the stand-in."""
    with stand_in() as server:
        for run_id in list_run_ids(root):
            metadata = Record(root, run_id).read_metadata()
            del metadata["schema_version"]
            run = finished_run(run_id, group, metadata, _History(root, run_id))
            server.runs[ENTITY, PROJECT, f"{run_id}-000000"] = run
        yield {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
