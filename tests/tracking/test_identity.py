"""Names that W&B refuses are refused beforehand or become allowed ones; a refusal is named so."""

from dataclasses import replace

import pandas as pd
import pytest

from degradation.config import ConfigError, Tracking
from degradation.config.rules import NAME
from degradation.records.root import root_token
from degradation.records.schema import State
from degradation.run import train
from degradation.sweep.runs import locate_run
from degradation.tracking.mirror import mirror, mirror_analysis
from degradation.tracking.sync import connect
from degradation.tracking.wandb_identity import build_init_arguments, build_report_arguments, to_tag
from tests.support.wandb_server import ENTITY

ONLINE = Tracking("online", "p", None, 20.0, False)
LONGEST = "x" * 100
# what a user may type as `name`, and what W&B would refuse as a part of an id
ODD_NAMES = [
    "depth, lr",
    "what?",
    "100%",
    "a;b'c",
    "#1",
    "?" * 100,
    "größe λ 🙂",
    "ö" * 95,
    " a = b+c&d ",
    LONGEST,
]


def sync(config):
    run = locate_run(config)
    with connect(config.tracking, run.record.root) as server:
        return [(result.message, result.is_complete) for result in server.sync(config, run.record)]


@pytest.mark.fast_cases(4)
@pytest.mark.parametrize("key", ["tracking.project", "tracking.entity"])
@pytest.mark.parametrize("value", ["a/b", "a#b", "a?b", "a%b", "' '", "x" * 129])
def test_refused_project_or_entity_is_a_wrong_value(compose_config, key, value):
    with pytest.raises(ConfigError, match=f"^{key}: .*; allowed: .*a name of at most 100") as error:
        compose_config(f"{key}={value!r}" if "'" not in value else f"{key}={value}")
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["quick", "2026-01-15 b", "ä", "x" * 78])
def test_accepted_report_names_keep_their_ids(tmp_path, name):
    tmp_path.joinpath("runs").mkdir()
    root = tmp_path / "runs"
    expected = f"report-{name}-{root_token(root)}"
    assert build_report_arguments(name, root)["id"] == expected


def test_different_report_names_have_different_ids(tmp_path):
    names = [*ODD_NAMES, "depth_ lr", "depth; lr", "what_", "100_", "_" * 100, "'" * 100]
    assert all(NAME.accepts(name) for name in names)
    ids = {build_report_arguments(name, tmp_path)["id"] for name in names}
    assert len(ids) == len(names)
    for wandb_id in ids:
        assert not set(wandb_id) & set("/\\#?%:;,'")
        assert len(wandb_id) <= 92
        assert len(wandb_id.encode()) <= 200


@pytest.mark.slow
def test_report_of_any_name_arrives(server, tmp_path, caplog):
    """The server refuses what W&B refuses: see tests/support/wandb_server.py."""
    tables = {"published-imagenet-12": pd.DataFrame({"family": ["plain"]})}
    for name in ODD_NAMES:
        mirror_analysis(ONLINE, tmp_path, name, tables, {})
        arguments = build_report_arguments(name, tmp_path)
        run = server.run(arguments["id"], project="p")
        assert (run.state, run.group, run.display_name) == ("finished", name, f"report {name}")
    assert "W&B" not in caplog.text


def test_long_tags_are_shortened_without_collisions(tiny, tmp_path):
    config = tiny()
    record = locate_run(config).record
    record.root.mkdir()
    for length in (64, 65, 200):
        data = replace(config.data, name="d" * length)
        arguments = build_init_arguments(replace(config, data=data), record, {})
        assert all(1 <= len(tag) <= 64 for tag in arguments["tags"])
    assert to_tag("d" * 64) == "d" * 64
    assert len({to_tag("d" * length) for length in (64, 65, 66)}) == 3


def test_report_failure_does_not_promise_a_sync(server, tmp_path, caplog):
    server.refuse = 403
    mirror_analysis(ONLINE, tmp_path, "mine", {}, {})
    assert "`make report` sends the report" in caplog.text
    assert "make sync" not in caplog.text


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize(
    "reason",
    [
        "another entity",
        "a read-only key",
        pytest.param(400, marks=pytest.mark.slow),
        pytest.param(404, marks=pytest.mark.slow),
    ],
)
def test_permanent_refusal_is_not_sent_later(tiny, server, caplog, reason):
    """By the mirror and by a sync, with what to correct; after the correction all is sent."""
    overrides = []
    if reason == "another entity":
        server.foreign.add("them")
        overrides = ["tracking.entity=them"]
    elif reason == "a read-only key":
        server.is_read_only = True
    else:
        server.refuse, server.refusing = reason, "UpsertBucket"
    config = tiny("tracking=online", "tracking.init_timeout=4", "probes=none", *overrides)
    assert train(config) is State.DONE
    (warning,) = [record.message for record in caplog.records if "W&B" in record.message]
    assert warning.startswith("W&B (online) refuses the run: ")
    assert "correct tracking.project, tracking.entity or the key, then `make sync`" in warning
    assert "later" not in warning
    ((message, is_complete),) = sync(config)
    assert message.startswith("refused by W&B: ")
    assert "correct tracking.project, tracking.entity or the key" in message
    assert not is_complete
    server.refuse, server.is_read_only = None, False
    server.foreign.clear()
    assert sync(config) == [("sent 3 of 3 rows", True)]


@pytest.mark.slow
def test_server_without_an_answer_is_no_refusal(server, tmp_path, caplog):
    server.absent.set()
    with mirror(replace(ONLINE, init_timeout=1.0), tmp_path, lambda: {"id": "x"}, []):
        pass
    assert "does not answer" in caplog.text
    assert "`make sync` sends the rows later" in caplog.text


def test_entity_of_wandb_itself_is_used_by_sync_too(tiny, server, monkeypatch):
    monkeypatch.setenv("WANDB_ENTITY", "a-team")
    config = tiny("tracking=online", "probes=none")
    train(config)
    (wandb_id,) = [wandb_id for entity, _, wandb_id in server.runs if entity == "a-team"]
    assert server.run(wandb_id, entity="a-team").state == "finished"
    assert sync(config) == [("already complete", True)]
    assert ENTITY not in {entity for entity, _, _ in server.runs}
