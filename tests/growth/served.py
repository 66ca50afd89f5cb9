"""The generated runs as W&B's server has them after they were mirrored: rows are read when they are asked for."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from degradation.records.record import Record
from degradation.records.root import list_run_ids
from degradation.records.schema import METRICS_FILE
from tests.support.wandb_server import ENTITY, KEY, PROJECT, finished_run, line_of, stand_in


class _Lines(Mapping[int, str]):
    """Those of a run's history: 10,000 runs of them would not fit into a laptop's memory."""

    def __init__(self, root: Path, run_id: str) -> None:
        self.of = root, run_id

    def __getitem__(self, number: int) -> str:
        return _lines(*self.of)[number]

    def __len__(self) -> int:
        return len(_lines(*self.of))

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))


@lru_cache(maxsize=2)
def _lines(root: Path, run_id: str) -> list[str]:
    return [*map(line_of, Record(root, run_id).valid_prefix(METRICS_FILE))]


@contextmanager
def served(root: Path, group: str) -> Iterator[dict[str, str]]:
    """Yields the environment in which wandb takes the stand-in for its server."""
    with stand_in() as server:
        for run_id in list_run_ids(root):
            described = Record(root, run_id).read_metadata()
            del described["schema_version"]
            run = finished_run(run_id, group, described, _Lines(root, run_id))
            server.runs[ENTITY, PROJECT, f"{run_id}-000000"] = run
        yield {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY}
