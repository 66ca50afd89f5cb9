"""The key is found wherever wandb itself looks, without a prompt, a request or a printed line."""

import subprocess
import sys
from pathlib import Path

import pytest
import wandb

from degradation.config import Tracking
from degradation.tracking import pull, sync
from degradation.tracking.mirror import mirror
from degradation.tracking.wandb_credentials import MissingKey, check_credentials
from degradation.tracking.wandb_process import WandbError
from tests.support.wandb_server import KEY

WANDB = Path(sys.executable).with_name("wandb")
OTHER_HOST = "https://wandb.example.org"
DEFAULT_HOST = wandb.Settings().base_url


def netrc(*hosts):
    return "".join(f"machine {host}\n  login user\n  password {KEY}\n" for host in hosts)


def settings(**values):
    return "[default]\n" + "".join(f"{key} = {value}\n" for key, value in values.items())


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Return an empty home folder, beside an empty working folder, without variables of wandb."""
    for name in ("WANDB_API_KEY", "WANDB_BASE_URL", "WANDB_MODE", "WANDB_DIR", "NETRC"):
        monkeypatch.delenv(name, raising=False)
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    (tmp_path / "work").mkdir()
    home.mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return home


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def contents(folder):
    return {path: path.read_text() for path in folder.rglob("*") if path.is_file()}


PLACES = {
    "environment": ({"WANDB_API_KEY": KEY}, {}),
    "netrc for the default host": ({}, {"home/.netrc": netrc(DEFAULT_HOST.split("/")[2])}),
    "netrc that NETRC names": (
        {"NETRC": "../elsewhere", "WANDB_BASE_URL": OTHER_HOST},
        {"elsewhere": netrc("github.com", "wandb.example.org")},
    ),
    "netrc for the host of the settings": (
        {},
        {
            "home/.netrc": netrc("github.com", "wandb.example.org"),
            "home/.config/wandb/settings": settings(base_url=OTHER_HOST),
        },
    ),
    "netrc for the host of the project": (
        {},
        {
            "home/.netrc": netrc("wandb.example.org"),
            "work/wandb/settings": settings(base_url=OTHER_HOST),
        },
    ),
    "settings": ({}, {"home/.config/wandb/settings": settings(api_key=KEY)}),
    "identity token": ({"WANDB_IDENTITY_TOKEN_FILE": "token"}, {}),
    "environment, while wandb is offline": ({"WANDB_API_KEY": KEY, "WANDB_MODE": "offline"}, {}),
}


@pytest.mark.parametrize("place", PLACES)
def test_key_is_found_wherever_wandb_looks(home, monkeypatch, capfd, place):
    environment, files = PLACES[place]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name, text in files.items():
        write(home.parent / name, text)
    before = contents(home.parent)
    check_credentials()
    assert capfd.readouterr() == ("", "")
    assert contents(home.parent) == before


@pytest.mark.parametrize("hosts", [(), ("github.com", "wandb.example.org")])
def test_key_of_another_host_is_none_and_no_prompt_opens(home, monkeypatch, hosts):
    monkeypatch.setattr(wandb.errors.term, "can_use_terminput", lambda: True)
    monkeypatch.setattr(wandb.errors.term, "terminput", lambda *_, **__: pytest.fail("a prompt"))
    write(home / ".netrc", netrc(*hosts))
    with pytest.raises(MissingKey, match=f"^no API key for {DEFAULT_HOST}: run `wandb login`"):
        check_credentials()


@pytest.mark.parametrize(
    ("environment", "files", "reason"),
    [
        ({"WANDB_API_KEY": "short"}, {}, "WANDB_API_KEY invalid: API key must have 40"),
        ({"WANDB_BASE_URL": "https://wandb.ai"}, {}, "base_url: .*not a valid server address"),
        ({"WANDB_BASE_URL": ""}, {}, "base_url: .*input is empty"),
        ({}, {"home/.netrc": "machine"}, "no API key for .* can be read: .*netrc"),
        ({}, {"home/.netrc/a_folder": ""}, "no API key for .* can be read: .*netrc"),
        ({}, {"home/.config/wandb/settings": "[default"}, "can be read: .*wandb/settings"),
    ],
)
def test_malformed_credentials_are_one_line(home, monkeypatch, capfd, environment, files, reason):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name, text in files.items():
        write(home.parent / name, text)
    with pytest.raises(WandbError, match=reason) as raised:
        check_credentials()
    assert not isinstance(raised.value, MissingKey)
    assert len(str(raised.value).splitlines()) == 1
    assert KEY not in str(raised.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("mode", ["online", "auto"])
def test_malformed_key_is_reported_and_trains_offline(home, monkeypatch, caplog, mode):
    modes = []

    def init(**arguments):
        modes.append(arguments["mode"])
        raise ConnectionResetError("gone")

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setenv("WANDB_API_KEY", "short")
    with mirror(Tracking(mode, "p", None, 1.0, False), home / "runs", lambda: {"id": "x"}, []):
        pass
    assert modes == ["offline"]
    assert caplog.text.count("W&B (online) cannot be used: WANDB_API_KEY invalid") == 1


@pytest.mark.parametrize("command", [sync, pull])
def test_missing_key_leaves_no_file(home, command):
    tracking = Tracking("online", "p", None, 1.0, False)
    with pytest.raises(MissingKey if command is pull else WandbError, match="no API key for"):
        command.connect(tracking, home / "runs").__enter__()
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    "wandb_mode", ["disabled", pytest.param("offline", marks=pytest.mark.slow)]
)
def test_login_on_the_command_line_is_enough(server, home, monkeypatch, capfd, wandb_mode):
    """The host is the one of `wandb login --host`, and tracking.mode decides, not WANDB_MODE."""
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.delenv("WANDB_BASE_URL", raising=False)
    login = [WANDB, "login", "--no-verify", "--host", server.url, KEY]
    subprocess.run(login, check=True, capture_output=True)
    monkeypatch.setenv("WANDB_MODE", wandb_mode)
    root = home / "runs"
    with mirror(
        Tracking("auto", "p", None, 20.0, False), root, lambda: {"id": "x"}, [{"iteration": 0}]
    ):
        pass
    assert server.run("x", project="p").state == "finished"
    assert "Loading settings" not in capfd.readouterr().err
