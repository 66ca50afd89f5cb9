"""Probes and landscapes measured in the networks of finished runs."""

from collections import Counter

import pytest
from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser

from degradation import run_probes as run_probes_module
from degradation.config import CONF, register
from degradation.records.schema import (
    LANDSCAPE_DIR,
    PROBES_FILE,
    SNAPSHOTS_DIR,
    WEIGHTS_FILE,
    State,
)
from degradation.run import train
from degradation.run_probes import ProbesFailed, run_landscape, run_probes
from degradation.sweep.pending import (
    Point,
    list_pending_points,
    list_pending_probes,
    list_points,
    probe_sample_sizes,
)
from degradation.sweep.probe_jobs import check_landscape_job, check_probe_job
from degradation.sweep.runs import locate_run

SMALL = ("landscape.line=5", "landscape.square=3", "landscape.pictures=300", "landscape.parts=2")


@pytest.fixture
def done(tiny):
    """Return a function: overrides -> (config, record) of a trained run."""

    def train_tiny(*overrides):
        config = tiny(*overrides)
        train(config)
        return config, locate_run(config).record

    return train_tiny


def list_probes(record):
    """Return (probe, iteration) of each row."""
    return [(row["probe"], row["iteration"]) for row in record.valid_prefix(PROBES_FILE)]


def test_missing_probes_are_taken_once(done):
    config, record = done()
    during = record.read(PROBES_FILE)
    assert run_probes(config) == "explained"
    assert list_probes(record)[8:] == [
        ("identity", 0), ("shattering", 0), ("paths", 0),
        ("identity", 6),
        ("identity", 12), ("shattering", 12), ("lesions", 12), ("paths", 12),
    ]  # fmt: skip
    assert record.read(PROBES_FILE).startswith(during)
    assert record.state() is State.DONE
    whole = record.read(PROBES_FILE)
    assert run_probes(config) == "explained"
    assert record.read(PROBES_FILE) == whole
    assert list_pending_probes(config, record) == []


def test_later_probes_equal_those_of_training(done, tmp_path):
    """Same networks, same images: bit for bit."""
    _, probed = done("probes.early=6")
    config, bare = done("probes=none", f"record_root={tmp_path / 'bare'}")
    bare.path(PROBES_FILE).unlink()  # an earlier release wrote no empty file
    config.probes.training = ["gradient_flow", "responses"]
    run_probes(config)
    assert bare.valid_prefix(PROBES_FILE) == probed.valid_prefix(PROBES_FILE)


def test_corrupt_probe_rows_are_measured_again(done):
    config, record = done()
    run_probes(config)
    whole = record.read(PROBES_FILE)
    corrupt = bytearray(whole[:-40])  # a truncated last row
    corrupt[100] ^= 1  # a flipped bit in the first row; the rows between are valid
    record.write(PROBES_FILE, bytes(corrupt))
    assert record.state() is State.DONE  # the run does not depend on these rows
    run_probes(config)
    assert sorted(record.read(PROBES_FILE).splitlines()) == sorted(whole.splitlines())


def test_constructed_network_without_snapshot_has_no_start(tiny):
    config = tiny("model=constructed", "model.depth=14", "model.grown_from=8")
    record = locate_run(config).record
    assert {iteration for _, iteration in list_pending_probes(config, record)} == {6, 12}


@pytest.mark.parametrize("measure", [run_probes, run_landscape])
def test_unfinished_run_is_refused(tiny, measure):
    with pytest.raises(
        ProbesFailed, match=r"^residual-d8-s0-\w+: is missing; train it first"
    ) as refused:
        measure(tiny())
    assert "\n" not in str(refused.value)


def test_diverged_run_is_not_probed(tiny):
    config = tiny("optim.lr=1e30")
    train(config)
    assert run_probes(config) == run_landscape(config) == "diverged"


def test_corrupt_weights_are_named(done):
    config, record = done()
    content = bytearray(record.path(WEIGHTS_FILE).read_bytes())
    content[len(content) // 2] ^= 1
    record.path(WEIGHTS_FILE).write_bytes(content)
    with pytest.raises(ProbesFailed, match=r"weights\.pt: its checksum differs"):
        run_probes(config)
    record.path(f"{SNAPSHOTS_DIR}/00000006.pt").unlink()
    with pytest.raises(ProbesFailed, match="is partial; train it first"):
        run_probes(config)


def landscape_rows(record):
    paths = sorted(record.path(LANDSCAPE_DIR).glob("*.jsonl"))
    return [row for path in paths for row in record.valid_prefix(f"{LANDSCAPE_DIR}/{path.name}")]


def test_landscape_parts_cover_each_point_once(done):
    config, record = done(*SMALL)
    for part in range(2):
        config.landscape.part = part
        assert run_landscape(config) == "measured"
    rows = landscape_rows(record)
    measured = [Point(row["shape"], row["x"], row["y"]) for row in rows]
    assert sorted(map(str, measured)) == sorted(map(str, list_points(config.landscape)))
    centre = {(row["loss"], row["error"]) for row in rows if row["x"] == row["y"] == 0}
    assert len(centre) == 1
    assert {row["pictures"] for row in rows} == {300}


def test_landscape_centre_is_the_recorded_training_loss(done):
    config, record = done(*SMALL[:2], "landscape.parts=1")
    run_landscape(config)
    centre = next(row for row in landscape_rows(record) if row["x"] == row["y"] == 0)
    last = record.valid_prefix("metrics.jsonl")[-1]
    assert centre["loss"] == pytest.approx(last["train/clean_loss"], rel=1e-5)
    assert centre["error"] == last["train/clean_error"]


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("after", [0, 3, 6])
def test_interrupted_landscape_resumes(done, tmp_path, monkeypatch, after):
    config, record = done(*SMALL[:3], "landscape.parts=1")
    run_landscape(config)
    whole = landscape_rows(record)
    (file,) = record.path(LANDSCAPE_DIR).glob("*.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:after]) + b'{"truncated')
    measured = []
    loss_surface = run_probes_module.LossSurface

    class CountingSurface(loss_surface):
        def measure(self, x, y, batches):
            measured.append((x, y))
            return super().measure(x, y, batches)

    monkeypatch.setattr(run_probes_module, "LossSurface", CountingSurface)
    run_landscape(config)
    assert landscape_rows(record) == whole
    assert len(measured) == len(whole) - after


def test_other_number_of_parts_reuses_measured_points(done):
    config, record = done(*SMALL)
    run_landscape(config)  # the first of two parts
    (record.path("landscape") / "._0-of-2.jsonl").write_bytes(b"\0\5\x16\7")  # left by macOS
    config.landscape.parts = 1
    assert len(list_pending_points(config.landscape, record)) == 7
    config.landscape.reach = 0.5
    assert len(list_pending_points(config.landscape, record)) == 14


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param(
            ("model.depth=20,44,56", "seed=0,1"),
            {("plain", 20), ("plain", 56), ("residual", 20), ("residual", 56)},
            marks=pytest.mark.slow,
        ),
        (
            ("model.depth=20,110", "seed=0", "landscape.depths=[110]"),
            {("plain", 110), ("residual", 110)},
        ),
    ],
)
def test_landscape_covers_selected_networks_in_parts(overrides, expected, tmp_path):
    """Those of landscape.depths and .seeds that are in the sweep, each in all its parts."""
    root = f"record_root={tmp_path}"
    jobs = compose_sweep(["experiment=quick", "landscape.parts=2", root, *overrides])
    specs = [check_landscape_job(cfg) for cfg in jobs]
    selected = [cfg for cfg, spec in zip(jobs, specs, strict=True) if spec.skip_reason is None]
    networks = Counter(
        ("residual" if cfg.model.shortcut == "A" else "plain", cfg.model.depth) for cfg in selected
    )
    assert networks == dict.fromkeys(expected, 2)
    assert {cfg.landscape.part for cfg in selected} == {0, 1}
    assert {cfg.seed for cfg in selected} == {0}
    reasons = {spec.skip_reason for spec in specs} - {None}
    assert reasons <= {"not among landscape.depths", "not among landscape.seeds"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "experiment", sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
)
def test_landscape_depths_are_in_the_experiments_grid(experiment):
    register()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        composed = compose("landscape", [f"experiment={experiment}"], return_hydra_config=True)
    grid = {int(depth) for depth in composed.hydra.sweeper.params["model.depth"].split(",")}
    assert composed.landscape.depths
    assert set(composed.landscape.depths) <= grid


def compose_sweep(overrides):
    """Return the configurations of a sweep of landscape.py, by Hydra's own sweeper."""
    register()
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        fixed = [o for o in overrides if not parser.parse_override(o).is_sweep_override()]
        base = compose("landscape", fixed, return_hydra_config=True)
        swept = [f"{key}={value}" for key, value in base.hydra.sweeper.params.items()]
        (jobs,) = BasicSweeper.split_arguments(
            parser.parse_overrides([*swept, *overrides]), max_batch_size=None
        )
        return [compose("landscape", job) for job in jobs]


def test_job_with_nothing_left_is_skipped(tiny, compose_config):
    config = tiny()
    train(config)
    run_probes(config)
    overrides = [
        f"record_root={config.record_root}",
        "model.depth=8",
        "model.width=4",
        "optim.batch_size=32",
        "schedule.iterations=12",
        "schedule.milestones=[6]",
        "schedule.evaluate_every=4",
        "schedule.snapshots=[6]",
    ]
    with initialize_config_dir(config_dir=str(CONF), version_base="1.3"):
        finished = check_probe_job(compose("explain", overrides))
        pending = check_probe_job(compose("explain", [*overrides, "seed=1"]))
    assert finished.label == locate_run(config).run_id
    assert finished.skip_reason == "explained before"
    assert pending.skip_reason is None


def sample_sizes(record, probe):
    """Return {iteration: number of images} of a probe."""
    return {
        row["iteration"]: row["pictures"]
        for row in record.valid_prefix(PROBES_FILE)
        if row["probe"] == probe
    }


@pytest.mark.slow
def test_other_number_of_images_is_measured_again(done, tiny):
    """Rows of another number of images do not count as measured."""
    config, record = done()
    run_probes(config)
    rows_before = len(record.valid_prefix(PROBES_FILE))
    config.probes.batch_size = 64
    pending = list_pending_probes(config, record)
    assert ("gradient_flow", 12) in pending
    assert ("lesions", 12) not in pending  # its number of test images is the same
    run_probes(config)
    assert list_pending_probes(config, record) == []
    assert sample_sizes(record, "gradient_flow")[12] == 64
    assert len(record.valid_prefix(PROBES_FILE)) == rows_before + len(pending)
    config.probes.batch_size = 128
    assert list_pending_probes(config, record) == []


def test_number_of_images_is_limited_by_the_split(done):
    config, record = done()
    config.probes.test_pictures = 2000
    run_probes(config)
    assert sample_sizes(record, "lesions")[12] == 297
    config.probes.test_pictures = None
    assert list_pending_probes(config, record) == []
    config.probes.test_pictures = 50
    assert list_pending_probes(config, record) == [("lesions", 12)]


def test_probe_images_are_counted_per_split(compose_config):
    data = {"train": 1000, "test": 40}
    config = compose_config("probes.batch_size=300", "probes.test_pictures=null")
    sizes = probe_sample_sizes(config, data)
    assert (sizes["gradient_flow"], sizes["paths"], sizes["lesions"]) == (300, 300, 40)
    streamed = compose_config(
        "data=imagenet", "data.root=r", "data.stream.train_evaluated=200", "probes.batch_size=300"
    )
    assert probe_sample_sizes(streamed, data)["gradient_flow"] == 200
