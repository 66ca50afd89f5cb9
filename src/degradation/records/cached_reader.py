"""`CachedRecord`: reads each file of a record once, so an analysis can run during training."""

from functools import cached_property
from pathlib import Path

from degradation.records.manifest import Manifest
from degradation.records.record import Record
from degradation.records.schema import State


class CachedRecord(Record):
    """A read-only record that reads each file once: the bytes it verifies are those it returns.

    It holds the content of all files that it has read, and does not see what is written later.
    """

    def __init__(self, root: Path | str, run_id: str) -> None:
        super().__init__(root, run_id)
        self._results: dict[str, bytes | OSError] = {}
        self._outcomes: dict[bool, State | None] = {}

    def read_unverified(self, name: str) -> bytes:
        """Return the content that the file had when it was first read. Raises OSError."""
        if name not in self._results:
            try:
                self._results[name] = super().read_unverified(name)
            except OSError as error:
                self._results[name] = error
        result = self._results[name]
        if isinstance(result, OSError):
            raise result
        return result

    def read_manifest(self) -> Manifest | None:
        return self._manifest

    def is_listed(self, name: str) -> bool:
        """Return whether the manifest lists a file."""
        manifest = self.read_manifest()
        return manifest is not None and name in manifest["files"]

    def outcome(self, verify_contents: bool = False) -> State | None:
        if verify_contents not in self._outcomes:
            self._outcomes[verify_contents] = super().outcome(verify_contents)
        return self._outcomes[verify_contents]

    @cached_property
    def _manifest(self) -> Manifest | None:
        return super().read_manifest()
