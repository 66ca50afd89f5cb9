"""Write the events of training to the record, and mirror them to W&B."""

import logging

from degradation.checkpointing import ResumeState
from degradation.checksums import Row
from degradation.metrics import CLEAN_ERROR, ITERATION, TEST_ERROR
from degradation.progress import report_error
from degradation.records.record import Record
from degradation.records.schema import METRICS_FILE, PROBES_FILE, snapshot_file
from degradation.run_metadata import build_probe_row
from degradation.tracking.mirror import SendRow
from degradation.tracking.wandb_rows import convert_probe_row
from degradation.training import serialization
from degradation.training.events import ProbeResult, Snapshot

log = logging.getLogger(__name__)


class EventRecorder:
    """Writes the events of one attempt to disk first, and then to W&B.

    Args:
        resume_state: what the record already holds. Each event is added to it, so a checkpoint can
            be saved after any event.
        send: sends a row to W&B.
    """

    def __init__(self, record: Record, resume_state: ResumeState, send: SendRow) -> None:
        self.record, self.resume_state, self.send = record, resume_state, send

    def record_metrics(self, row: Row) -> None:
        """Append a row of metrics, and log and report its errors."""
        self.record.append(METRICS_FILE, row)
        self.send(row)
        log.info(
            "%s  iteration %6d  clean training error %5.1f %%  test error %5.1f %%",
            self.record.run_id,
            row[ITERATION],
            row[CLEAN_ERROR],
            row[TEST_ERROR],
        )
        report_error(row[CLEAN_ERROR])
        self.resume_state.metrics.append(row)

    def record_probe(self, result: ProbeResult, device: str) -> None:
        """Append the table of a probe.

        Args:
            device: the type of the device that computed it: cpu, cuda or mps.
        """
        row = build_probe_row(result.probe, result.iteration, result.images, device, result.table)
        self.record.append(PROBES_FILE, row)
        self.send(convert_probe_row(row))
        self.resume_state.probes.append(row)

    def record_snapshot(self, snapshot: Snapshot) -> None:
        """Write the weights to the snapshot file of their iteration."""
        name = snapshot_file(snapshot.iteration)
        fingerprint = self.record.write(name, serialization.dump(snapshot.weights))
        self.resume_state.snapshots[name] = fingerprint
