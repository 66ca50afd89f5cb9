"""`RecordFiles`: reads and writes the files of one record. No other module knows their paths.

- Whole files (run.json, checkpoint.pt, snapshots, weights.pt, DONE) have their old or their new
  content in full, never in part, also after a crash, a full disk or a power cut.
  `degradation.durable_io` writes them.
- A row that `append` has written is on the disk. A row that a crash has truncated is detected by
  its checksum and dropped.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from degradation.checksums import CorruptData, MissingChecksum, Row, decode_document, from_json
from degradation.durable_io import TEMPORARY, append_line, read_file, write_atomically
from degradation.records.archive import Archive, find_archive
from degradation.records.manifest import Manifest, fingerprint, is_manifest
from degradation.records.row_integrity import decode_row, encode_row
from degradation.records.schema import DONE_FILE, LANDSCAPE_DIR, SCHEMA_VERSION, RecordError
from degradation.registry import VISIBLE


class RecordFiles:
    """The files of the record in the folder `root/run_id`. It need not exist yet.

    The root may also be an archive of published records (`degradation.records.archive`). All
    methods that read work for it, and those that write raise OSError.

    Methods raise RecordError for a file that cannot be read or that another release wrote, and
    OSError where writing fails.
    """

    def __init__(self, root: Path | str, run_id: str) -> None:
        self.root = Path(root)
        self.run_id = run_id
        self.folder = self.root / run_id

    def path(self, name: str) -> Path:
        """Return the path of the file with this name; in an archive, it is only for messages."""
        return self.folder / name

    @cached_property
    def _archive(self) -> Archive | None:
        """The archive that holds the record, or None if a folder does."""
        return find_archive(self.root)

    def exists(self, name: str) -> bool:
        """Return whether the record has a file, or something else, with this name."""
        if self._archive is not None:
            return self._archive.has(f"{self.run_id}/{name}")
        return self.path(name).exists()

    def list_landscape_files(self) -> list[str]:
        """Return the names of the files with points of the loss landscape, sorted."""
        if self._archive is not None:
            names = self._archive.list_names(f"{self.run_id}/{LANDSCAPE_DIR}/")
            return [name.removeprefix(f"{self.run_id}/") for name in names]
        folder = self.path(LANDSCAPE_DIR)
        if not folder.is_dir():  # most records have none, and a search would take longer
            return []
        paths = folder.glob(f"{VISIBLE}.jsonl")
        return sorted(f"{LANDSCAPE_DIR}/{path.name}" for path in paths)

    # --- whole files

    def write(self, name: str, content: bytes) -> Row:
        """Write a file atomically and return its fingerprint, for the manifest."""
        write_atomically(self.path(name), content)
        return fingerprint(content)

    def read(self, name: str) -> bytes:
        """Return the content of a file. Raises RecordError if it is missing or corrupt."""
        content = self._read_if_exists(name)
        if content is None:
            raise RecordError(f"{self.path(name)}: missing")
        if not self._matches_manifest(name, content):
            raise RecordError(
                f"{self.path(name)}: its checksum differs from the one in {DONE_FILE};"
                " train the run again"
            )
        return content

    def read_unverified(self, name: str) -> bytes:
        """Return the content of a file without comparing it with DONE. Raises OSError."""
        if self._archive is not None:
            return self._archive.read(f"{self.run_id}/{name}")
        return read_file(self.path(name))

    def _read_if_exists(self, name: str) -> bytes | None:
        """Return the unverified content, or None if there is no such file."""
        try:
            return self.read_unverified(name)
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = error.strerror or error
            raise RecordError(f"{self.path(name)}: cannot be read ({problem})") from None

    def _matches_manifest(self, name: str, content: bytes) -> bool:
        """Return whether the manifest of a finished run, if it lists the file, agrees with it."""
        manifest = self.read_manifest()
        if manifest is None or name not in manifest["files"]:
            return True
        return bool(fingerprint(content) == manifest["files"][name])

    def _decode_document(self, name: str, content: bytes) -> Row:
        """Return the values of a document.

        Raises CorruptData, and RecordError if it has another schema version.
        """
        try:
            values = decode_document(content)
        except MissingChecksum:
            # Another version may have no checksums; its files must not be overwritten as corrupt.
            self._check_schema_version(name, from_json(content))
            raise
        self._check_schema_version(name, values)
        return values

    def _check_schema_version(self, name: str, values: Row) -> None:
        """Raise RecordError unless this code reads the schema version of a document."""
        version = values.get("schema_version")
        if version != SCHEMA_VERSION:
            raise RecordError(
                f"{self.path(name)}: schema version {version!r}, this code reads {SCHEMA_VERSION};"
                " read it with the release that wrote it, or set another record_root"
            )

    def remove_leftovers(self) -> None:
        """Remove the temporary files of a killed attempt. The caller holds the run's lock.

        Those of the loss landscape may be in use: each of its files has a lock of its own.

        Raises:
            RecordError: the record contains a symbolic link, which may point outside it.
        """
        for path in self.folder.rglob("*"):
            if path.is_symlink():
                raise RecordError(
                    f"{path}: is a symbolic link; a record must not contain one. Remove the link."
                )
            if path.name.startswith(TEMPORARY) and path.parent.name != LANDSCAPE_DIR:
                path.unlink(missing_ok=True)

    def remove_leftovers_of(self, name: str) -> None:
        """Remove the temporary files of killed writes of one file. The caller holds its lock."""
        path = self.path(name)
        for temporary in path.parent.glob(f"{TEMPORARY}{path.name}-*"):
            temporary.unlink(missing_ok=True)

    # --- rows

    def append(self, name: str, row: Row) -> None:
        """Append a row to a .jsonl file. It is on the disk when this returns."""
        append_line(self.path(name), encode_row(row))

    def valid_prefix(self, name: str) -> list[Row]:
        """Return the rows before the first truncated or corrupt one.

        For files whose rows build on each other, such as metrics.jsonl. Empty if there is no file.
        """
        rows = []
        for row in self._decode_lines(name):
            if row is None:
                break
            rows.append(row)
        return rows

    def valid_rows(self, name: str) -> list[Row]:
        """Return all rows with a valid checksum. For files whose rows are independent."""
        return [row for row in self._decode_lines(name) if row is not None]

    def count_corrupt_lines(self, name: str) -> int:
        """Return how many lines are truncated or corrupt."""
        return sum(row is None for row in self._decode_lines(name))

    def rewrite_rows(self, name: str, rows: list[Row]) -> None:
        """Replace the content of a file by these rows, atomically.

        A resumed run drops the rows after its checkpoint, because it measures them again.
        """
        content = b"".join(encode_row(row) for row in rows)
        if self._read_if_exists(name) != content:
            self.write(name, content)

    def _decode_lines(self, name: str) -> Iterator[Row | None]:
        """Yield the row of each line, or None if the line is truncated or corrupt."""
        for line in self._read_lines(name):
            yield decode_row(line)

    def _read_lines(self, name: str) -> list[bytes]:
        content = self._read_if_exists(name) or b""
        return content.splitlines(keepends=True)

    # --- the manifest

    def read_manifest(self) -> Manifest | None:
        """Return the content of DONE, or None if it is missing or corrupt."""
        content = self._read_if_exists(DONE_FILE)
        if content is None:
            return None
        try:
            values = self._decode_document(DONE_FILE, content)
        except CorruptData:
            return None
        return values if is_manifest(values) else None
