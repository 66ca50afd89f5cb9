"""Build the content of run.json, and the rows of probes.jsonl."""

from dataclasses import asdict

import numpy as np
from torch import Tensor

from degradation.checksums import Row
from degradation.config import Config, family, parent_config
from degradation.data.datasets import Dataset, StreamedDataset
from degradation.data.fingerprint import data_fingerprint
from degradation.data.paths import escape_name
from degradation.external_code import is_reference
from degradation.metrics import ITERATION
from degradation.models.complexity import measure_complexity
from degradation.probes.table import Table
from degradation.records.metadata import DataMetadata, RunMetadata
from degradation.records.schema import DEVICE, IMAGES, PROBE, TABLE, RecordError
from degradation.run_id import hash_values, hashed_values, numerics_version
from degradation.sweep.runs import locate_run


def describe_run(config: Config, run_id: str, dataset: Dataset | StreamedDataset) -> Row:
    """Return the content of run.json, which is the same for every attempt and on every machine.

    Its keys are described in records/metadata.py.

    Raises:
        RecordError: a file of the user's own, or an image, has changed since the run was located.
    """
    complexity = measure_complexity(config.model, dataset.channels, dataset.side, dataset.classes)
    parent = parent_config(config)
    values = hashed_values(config, data_fingerprint(config.data))
    _check_id(config, run_id, values)
    metadata = RunMetadata(
        run_id=run_id,
        family=family(config.model),
        numerics_version=numerics_version(config),
        config=values,
        data=_describe_data(config, dataset),
        census=asdict(complexity),
        parent=None if parent is None else locate_run(parent).run_id,
    )
    return metadata.to_row()


def _check_id(config: Config, run_id: str, values: Row) -> None:
    """Check that the user's own files and the images still are those that the run id covers.

    They can change while the run waits for a lock, or for the network that it is grown from.
    """
    if run_id.endswith(hash_values(values)):
        return
    names = [name for name in (config.model.block, config.model.network) if is_reference(name)]
    if config.data.root is not None:
        names.append(f"the images in {escape_name(config.data.root)}")
    assert names, f"{run_id} is not the id of its configuration"
    raise RecordError(f"{' or '.join(names)} changed after this run was started; start again")


def _describe_data(config: Config, dataset: Dataset | StreamedDataset) -> DataMetadata:
    """Return the data set's name and checksum, and its numbers of classes and images."""
    return DataMetadata(
        name=config.data.name,
        checksum=dataset.checksum(),
        classes=dataset.classes,
        train=len(dataset.train),
        test=len(dataset.test),
        commonest=_count_commonest(dataset.train.labels),
        validation=config.data.validation or None,
    )


def _count_commonest(labels: Tensor | np.ndarray) -> int:
    """Return the number of training images of the most frequent class.

    Chance error is the error of always predicting this class.
    """
    return int(np.bincount(np.asarray(labels)).max())


def build_probe_row(probe: str, iteration: int, images: int, device: str, table: Table) -> Row:
    """Return the row of probes.jsonl for one probe of one network.

    Args:
        images: number of images that the probe has seen.
        device: the type of the device that computed it: cpu, cuda or mps.
    """
    return {PROBE: probe, ITERATION: iteration, IMAGES: images, DEVICE: device, TABLE: table}
