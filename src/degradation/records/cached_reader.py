"""A record as it is at one moment, for whoever shows many of them."""

from functools import cached_property
from pathlib import Path

from degradation.records.manifest import Manifest
from degradation.records.record import Record


class CachedRecord(Record):
    """A record to be read only: each file once, so that the bytes that were checked are the bytes that are shown."""

    def __init__(self, root: Path | str, run_id: str) -> None:
        super().__init__(root, run_id)
        self._found: dict[str, bytes | OSError] = {}

    def read_unverified(self, name: str) -> bytes:
        if name not in self._found:
            try:
                self._found[name] = super().read_unverified(name)
            except OSError as error:
                self._found[name] = error
        found = self._found[name]
        if isinstance(found, OSError):
            raise found
        return found

    def read_manifest(self) -> Manifest | None:
        return self._manifest

    @cached_property
    def _manifest(self) -> Manifest | None:
        return super().read_manifest()
