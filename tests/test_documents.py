"""What the documents name exists: files, targets, commands, options, overrides, keys and columns.

Commands are not executed. A script must accept the options that a document gives it, its overrides
must compose to a valid sweep, and a make target must pass `make -n`.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from operator import attrgetter
from pathlib import Path

import pandas as pd
import pytest
import yaml

from analysis.claim import Verdict
from analysis.claims import judge
from degradation.config import CONF, Config
from degradation.config.keys import read_keys
from degradation.metrics import METRICS
from degradation.records import schema as record_schema
from degradation.registry import BLOCKS
from degradation.sweep.expand import expand_configs
from tests.support.recipes import read_examples

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "experiments/README.md",
    "experiments/ledger/README.md",
    *(f"docs/{page.name}" for page in sorted((ROOT / "docs").glob("*.md"))),
]
SCRIPTS = sorted(path.name for path in (ROOT / "experiments").glob("*.py"))
PROGRAM = re.compile(r"(?:\S*/)?(?:python3?|torchrun|make)")
PATH = re.compile(r"(?:conf|src|analysis|experiments|tests|docs|ledger|\.ci)/[\w./*-]*")
FILE = re.compile(r"[\w-]+\.(?:py|md|yaml|toml|txt|cff)")
OPTION = re.compile(r'options=\{"(\w+)"')  # the first one of a registration
KEY = re.compile(r"([a-z_]+(?:\.[a-z_]+)+|[a-z_]+(?==))(?:=\S*)?")
# CONSTANT, Class.method or a_name
IDENTIFIER = re.compile(r"[A-Z]\w*[A-Z]|[A-Z]\w+\.[a-z_]+|[a-z]+_[a-z_]+")
LINK = re.compile(r"(?:\[[^\]]*\]\(|^\[[^\]]+\]: )([^)\s]+)", re.MULTILINE)
SCRIPT_CALL = re.compile(r"(experiments/\w+\.py|tests/\w+) ([^;>\n]*)")
OVERRIDE = re.compile(r"[\w./]+=(?!=)")
HYDRA_SCRIPTS = ("train.py", "explain.py", "landscape.py")


@dataclass(frozen=True)
class Command:
    """One command of a document, as its words without a leading `.venv/bin/`."""

    document: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{Path(self.document).name}: {shlex.join(self.words)}"


@cache
def read_document(document: str) -> str:
    return (ROOT / document).read_text(encoding="utf-8")


def list_code_lines(document: str) -> list[str]:
    """Return the lines of code of a document, with continued lines joined."""
    lines = []
    fenced = False
    for line in read_document(document).splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            lines.append(line.strip())
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def list_code_spans(document: str) -> list[str]:
    """Return the code spans of a document's prose and tables."""
    prose = re.sub(r"^```.*?^```", "", read_document(document), flags=re.MULTILINE | re.DOTALL)
    return [span for _, span in re.findall(r"(`+)(.+?)\1(?!`)", prose)]


def find_commands(document: str) -> Iterator[Command]:
    """Yield the commands of a document that start make, Python or torchrun."""
    for line in [*list_code_lines(document), *list_code_spans(document)]:
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # a line of code with an apostrophe
            continue
        if len(words) > 1 and PROGRAM.fullmatch(words[0]):
            yield Command(document, (Path(words[0]).name, *words[1:]))


ALL_COMMANDS = [command for document in DOCUMENTS for command in find_commands(document)]
COMMANDS = {command.words: command for command in reversed(ALL_COMMANDS)}.values()
MAKE_COMMANDS = [command for command in COMMANDS if command.words[0] == "make"]
PYTHON_COMMANDS = [command for command in COMMANDS if command.words[0] != "make"]


def build_anchor(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    characters = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return characters.replace(" ", "-")


def list_anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {build_anchor(heading) for heading in headings}


@cache
def list_launcher_keys() -> frozenset[str]:
    keys: set[str] = set()
    for path in (CONF / "hydra/launcher").glob("*.yaml"):
        keys |= yaml.safe_load(path.read_text(encoding="utf-8")).keys()
    return frozenset(f"hydra.launcher.{key}" for key in keys - {"defaults"})


@cache
def read_help(script: str) -> str:
    """Return what a script under experiments/ prints for --help."""
    command = [sys.executable, f"experiments/{script}", "--help"]
    completed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


@cache
def check_overrides(overrides: tuple[str, ...]) -> None:
    """Fail unless the overrides make a sweep; raise ConfigError if a run of it is invalid."""
    assert expand_configs(overrides)


def split_arguments(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the overrides and the options among a script's arguments."""
    flags = [word for word in words if word.startswith("-") and word != "--"]
    options = [flag.partition("=")[0] for flag in flags]
    overrides = [word for word in words if OVERRIDE.match(word)]
    return overrides, options


def check_script(script: str, words: list[str]) -> None:
    """Fail unless the script exists, knows these options, and its overrides compose."""
    path = ROOT / script
    if path.is_dir():
        path = path / "__main__.py"
    assert path.is_file(), f"{script} does not exist"
    overrides, options = split_arguments(words)
    if path.parent == ROOT / "experiments":
        check_overrides(tuple(overrides))
    unknown = set(options) - list_options(path) if options else set()
    assert not unknown, f"{script} has no option {unknown}"


def list_options(path: Path) -> set[str]:
    """Return the options of a script: those in its help, or for a tool of tests/ in its source."""
    if path.name in HYDRA_SCRIPTS:
        return {"-m", "--multirun", "--cfg", "--help"}
    if path.parent == ROOT / "experiments":
        return set(re.findall(r"(?<!\w)--?[a-z][\w-]*", read_help(path.name)))
    return set(re.findall(r'"(--[\w-]+)"', path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_to_files_and_headings(document):
    folder = (ROOT / document).parent
    for target in LINK.findall(read_document(document)):
        if "://" in target:
            continue
        place, _, anchor = target.partition("#")
        path = folder / place if place else ROOT / document
        assert path.exists(), f"{document}: {target} does not exist"
        assert not anchor or anchor in list_anchors(path), (
            f"{document}: {target} has no such heading"
        )


@pytest.mark.parametrize("document", DOCUMENTS)
def test_paths_in_code_exist(document):
    folders = (ROOT, (ROOT / document).parent)
    sources = {path.name for path in ROOT.glob("*.*")}
    for name in ("conf", "src", "analysis", "experiments", "tests", "docs"):
        sources |= {path.name for path in (ROOT / name).rglob("*.*")}
    code = [line for line in list_code_lines(document) if not line.startswith("#")]
    for word in " ".join([*list_code_spans(document), *code]).split():
        if PATH.fullmatch(word):
            matches = [path for folder in folders for path in folder.glob(word.rstrip("/"))]
            assert matches, f"{document}: {word} does not exist"
        elif FILE.fullmatch(word):
            assert word in sources, f"{document}: no file is called {word}"


@pytest.mark.slow
@pytest.mark.parametrize("command", MAKE_COMMANDS, ids=str)
def test_make_commands_have_a_dry_run(command):
    if "TARGET" in command.words:
        return
    variables = set(re.findall(r"^(\w+) \?=", read_document("Makefile"), re.MULTILINE))
    assigned = {word.partition("=")[0] for word in command.words[1:] if "=" in word}
    assert assigned <= variables, f"the Makefile has no variable {assigned - variables}"
    completed = subprocess.run(
        ["make", "-n", *command.words[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert completed.returncode == 0, completed.stderr
    for script, arguments in SCRIPT_CALL.findall(completed.stdout):
        check_script(script, shlex.split(arguments))


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    """The working directory `mine`, with the user's files that docs/extending.md defines."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for name, code in read_examples("extending.md").items():
        (folder / name).write_text(code)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.slow
@pytest.mark.usefixtures("user_folder")
@pytest.mark.parametrize("command", PYTHON_COMMANDS, ids=str)
def test_python_commands_are_accepted(command):
    words = [word for word in command.words[1:] if word != "..."]
    if "-m" in words and words[0] == "-m":  # pytest on files
        paths = [word for word in words[2:] if "/" in word]
        assert all((ROOT / path).exists() for path in paths)
        return
    position = next(index for index, word in enumerate(words) if "/" in word)
    check_script(words[position], words[position + 1 :])


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_command_has_a_help(script):
    assert len(read_help(script).splitlines()) >= 5


@pytest.mark.parametrize("document", DOCUMENTS)
def test_keys_in_code_exist(document):
    groups = {path.name for path in CONF.iterdir() if path.is_dir()}
    known = read_keys(Config).keys() | groups | list_block_options(document)
    for span in list_code_spans(document):
        match = KEY.fullmatch(span)
        if not match or FILE.fullmatch(span) or span.endswith(".jsonl"):
            continue
        key = match[1]
        first = key.partition(".")[0]
        if key.startswith("hydra.launcher."):
            assert key in list_launcher_keys(), f"{document}: {key} is no key of a launcher"
        elif first in groups - {"hydra"} or "=" in span:
            assert key in known, f"{document}: {key} is no key of conf/"


def list_block_options(document: str) -> frozenset[str]:
    """Return the keys of the options of all blocks, and of those in a document's examples."""
    names = [*OPTION.findall((ROOT / document).read_text(encoding="utf-8"))]
    for block in BLOCKS.names():
        names += BLOCKS.facts(block).get("options", {})
    return frozenset(f"model.options.{name}" for name in names)


@cache
def read_identifiers() -> frozenset[str]:
    """Return every word of the sources and the Makefile."""
    sources = [ROOT / "Makefile"]
    for folder in ("src", "analysis", "experiments"):
        sources += (ROOT / folder).rglob("*.py")
    texts = [path.read_text(encoding="utf-8") for path in sources]
    return frozenset(word for text in texts for word in re.findall(r"\w+", text))


@pytest.mark.parametrize("document", DOCUMENTS)
def test_identifiers_in_code_exist(document):
    for span in list_code_spans(document):
        if IDENTIFIER.fullmatch(span) and not FILE.fullmatch(span):
            unknown = set(re.findall(r"\w+", span)) - read_identifiers() - config_names()
            assert not unknown, f"{document}: {span} is not in the sources"


def config_names() -> set[str]:
    """Return the names of files and folders in conf/."""
    return {path.stem for path in CONF.rglob("*")}


def test_every_experiment_is_documented():
    experiments = {path.stem for path in (CONF / "experiment").glob("*.yaml")}
    spans = set(list_code_spans("docs/experiments.md"))
    assert experiments <= spans
    readme = {name for name in experiments if not name.endswith("_digits")}
    assert readme <= set(list_code_spans("README.md"))


def test_ambiguities_have_the_documented_values():
    """Each value is allowed, and the first one of a key is its default on CIFAR-10."""
    keys = read_keys(Config)
    (config,) = expand_configs(["data=cifar10"])
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| (`.*?) \| ", read_document("docs/protocol.md"), re.MULTILINE
    )
    assert len(rows) >= 11
    for name, cell in rows:
        values = [yaml.safe_load(value) for value in re.findall(r"`([^`]+)`", cell)]
        assert values[0] == attrgetter(name)(config)
        assert [value for value in values if not keys[name].accepts(value)] == []


@pytest.mark.parametrize("document", DOCUMENTS)
def test_metrics_in_code_exist(document):
    groups = {metric.group for metric in METRICS.values() if metric.group}
    for span in list_code_spans(document):
        group, slash, _ = span.partition("/")
        if group + slash in groups and re.fullmatch(r"[a-z]+/[a-z0-9_]+", span):
            assert span in METRICS, f"{document}: {span} is no metric"


def test_every_main_claim_and_verdict_is_documented(build_frame):
    page = read_document("docs/verdicts.md")
    for claim in judge(build_frame({"plain": {20: [1.0]}}).runs, margin=2.0):
        assert f"\n| {claim.name} | " in page
    for verdict in Verdict:
        assert f"\n| {verdict} | " in page


def test_every_file_of_a_record_is_documented():
    names = {
        record_schema.RUN_FILE,
        record_schema.ATTEMPTS_FILE,
        record_schema.METRICS_FILE,
        record_schema.PROBES_FILE,
        record_schema.CHECKPOINT_FILE,
        record_schema.WEIGHTS_FILE,
        record_schema.DONE_FILE,
        f"{record_schema.LANDSCAPE_DIR}/",
        f"{record_schema.SNAPSHOTS_DIR}/",
    }
    assert names <= set(list_code_spans("docs/records.md"))


def test_every_make_target_has_a_help():
    makefile = read_document("Makefile")
    phony = set(" ".join(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)).split())
    documented = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    assert phony - documented == {"always"}


def test_readme_is_short():
    lines = read_document("README.md").splitlines()
    assert len(lines) <= 130
    assert [line for line in lines if len(line) > 90] == []
    headings = [line for line in lines if line.startswith("## ")]
    assert headings == [
        "## Two commands",
        "## What you see",
        "## The experiments",
        "## Your own sweep",
        "## Further reading",
    ]


def test_readme_shows_the_ledgers_numbers():
    summary = pd.read_csv(ROOT / "experiments/ledger/quick/summary.csv").set_index("family")
    for family in ("plain", "residual"):
        means = summary.loc[family].sort_values("depth")["training_error_mean"]
        row = " | ".join(f"{mean:.2f}" for mean in means)
        assert f"| {family} | {row} |" in read_document("README.md")
    for duration in re.findall(r"# (.* min(?: \d+ s)?):", read_document("README.md")):
        assert duration in read_document("experiments/README.md")


def test_reading_tour_takes_an_evening():
    tour = (
        read_document("docs/architecture.md")
        .partition("## A reading tour")[2]
        .partition("\n## ")[0]
    )
    paths = [ROOT / "docs" / target for target in LINK.findall(tour)]
    assert 10 <= len(paths) <= 14
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)
    assert lines <= 1800


def test_architecture_shows_the_order_of_imports():
    contracts = tomllib.loads(read_document("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    whole_package = [contract for contract in contracts if "containers" not in contract]
    (layers,) = [contract["layers"] for contract in whole_package if "layers" in contract]
    lines = [layer.replace("degradation.", "").replace(" |", ",") for layer in layers]
    assert "\n".join(lines) in "\n".join(list_code_lines("docs/architecture.md"))


@pytest.mark.parametrize("document", [*DOCUMENTS, "Makefile", "CITATION.cff"])
def test_documents_name_no_machine(document):
    assert not re.search(r"(?<![\w.])/(?:root|home|work|tmp)\b", read_document(document))


def test_changelog_has_the_packages_version():
    version = re.search(r'^version = "(.*)"$', read_document("pyproject.toml"), re.MULTILINE)[1]
    headings = re.findall(r"^## (.*)$", read_document("CHANGELOG.md"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(version)} - \d{{4}}-\d\d-\d\d", headings[1])
    parts = set(re.findall(r"^### (.*)$", read_document("CHANGELOG.md"), re.MULTILINE))
    assert parts <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def test_citation_is_complete():
    citation = yaml.safe_load(read_document("CITATION.cff"))
    version = re.search(r'^version = "(.*)"$', read_document("pyproject.toml"), re.MULTILINE)[1]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == version
    assert [author["name"] for author in citation["authors"]] == ["resnet-degradation maintainers"]
    (paper,) = citation["references"]
    assert paper["title"] == "Deep Residual Learning for Image Recognition"
    assert [author["family-names"] for author in paper["authors"]] == ["He", "Zhang", "Ren", "Sun"]
