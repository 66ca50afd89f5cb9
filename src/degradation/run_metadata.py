"""What is told of a run to its record."""

from dataclasses import asdict
from typing import Any

import numpy as np
from torch import Tensor

from degradation.config import Config, family, parent_config
from degradation.data.datasets import Dataset, StreamedDataset
from degradation.data.fingerprint import data_fingerprint
from degradation.durable_io import Row
from degradation.metrics import ITERATION
from degradation.models.complexity import measure_complexity
from degradation.probes.table import Table
from degradation.records.schema import DEVICE, IMAGES, PROBE, TABLE
from degradation.run_id import hashed_values, numerics_version
from degradation.sweep.jobs import locate_run


def describe_run(config: Config, run_id: str, dataset: Dataset | StreamedDataset) -> dict[str, Any]:
    """What run.json holds of a run; the same for every attempt on any machine."""
    counted = measure_complexity(config.model, dataset.channels, dataset.side, dataset.classes)
    parent = parent_config(config)
    validation = {"validation": config.data.validation} if config.data.validation else {}
    return {
        "run_id": run_id,
        "family": family(config.model),
        "numerics_version": numerics_version(config),
        "config": hashed_values(config, data_fingerprint(config.data)),
        "data": {
            "name": config.data.name,
            "checksum": dataset.checksum(),
            "classes": dataset.classes,
            "train": len(dataset.train),
            "test": len(dataset.test),
            "commonest": _commonest(dataset.train.labels),
            **validation,
        },
        "census": asdict(counted),
        **({"parent": locate_run(parent).run_id} if parent is not None else {}),
    }


def _commonest(labels: Tensor | np.ndarray) -> int:
    """How many training images the commonest class has: naming it always is the best that chance can do."""
    return int(np.bincount(np.asarray(labels)).max())


def build_probe_row(probe: str, iteration: int, pictures: int, device: str, table: Table) -> Row:
    """What probes.jsonl holds of one probe of one network."""
    return {PROBE: probe, ITERATION: iteration, IMAGES: pictures, DEVICE: device, TABLE: table}
