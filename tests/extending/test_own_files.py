"""Blocks and networks in a user's own file, outside the repository: docs/extending.md."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from degradation.config import ConfigError
from degradation.data.datasets import load_dataset
from degradation.external_code import ExternalCodeError, is_external_module
from degradation.models.basic_block import BasicBlock
from degradation.models.build import build_network, is_separable
from degradation.models.complexity import list_layers, measure_complexity
from degradation.probes.measure import measure_probe, warn_about_skipped_probes
from degradation.records.config_validation import find_config_problem
from degradation.registry import BLOCKS, NETWORKS, PROBES
from degradation.run import train
from degradation.run_id import hashed_family, hashed_values
from degradation.run_probes import run_landscape, run_probes
from degradation.source_hash import hash_source
from degradation.sweep.runs import locate_run
from degradation.training import serialization
from degradation.training.events import Metrics, Progress
from degradation.training.initial_network import build_initial_network
from degradation.training.trainer import Trainer, fit
from tests.support.own_code import RANDOM_DEPTH
from tests.support.recipes import THREE_ITERATIONS, read_examples

SE, NETWORK = "model.block=my_blocks:SEBlock", "model.network=my_network:build_straight"
STOCHASTIC, GATED = "model.block=depths:StochasticDepth", "model.block=depths:Gated"
CPU = torch.device("cpu")
OWN_READERS = """
from degradation.models.bottleneck import Bottleneck
from degradation.models.network import Network
from degradation.registry import BLOCKS, NETWORKS

@BLOCKS.register("mine", layers=3)
class Mine(Bottleneck): ...

@NETWORKS.register("mine")
def mine(model, channels, classes):
    return Network(model, channels, classes)
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The working directory, with the files of docs/extending.md and one more."""
    for name, code in (read_examples("extending.md") | {"depths.py": RANDOM_DEPTH}).items():
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


# --- identity


def test_identity_is_that_of_the_code(folder):
    identity = BLOCKS.identify("my_blocks:SEBlock")
    assert identity.startswith("my_blocks:SEBlock@")
    file = folder / "my_blocks.py"
    file.write_text(f"# a comment\n{file.read_text()}")
    assert BLOCKS.identify("my_blocks:SEBlock") == identity
    file.write_text(file.read_text().replace('"reduction": 4', '"reduction": 2'))
    assert BLOCKS.identify("my_blocks:SEBlock") != identity


def test_moving_the_file_keeps_the_identity(folder):
    identity = BLOCKS.identify("my_blocks:SEBlock")
    assert BLOCKS.identify(str(folder / "my_blocks.py") + ":SEBlock") == identity
    (folder / "lib").mkdir()
    (folder / "my_blocks.py").rename(folder / "lib/my_blocks.py")
    assert BLOCKS.identify("lib/my_blocks.py:SEBlock") == identity
    assert BLOCKS.identify("lib.my_blocks:SEBlock") == identity
    sys.path.append(str(folder / "lib"))
    assert BLOCKS.identify("my_blocks:SEBlock") == identity


def test_edited_code_is_executed_anew(folder):
    first = BLOCKS.load("depths:Gated")
    assert BLOCKS.load("depths:Gated") is first
    file = folder / "depths.py"
    file.write_text(file.read_text().replace("torch.rand(())", "torch.ones(())"))
    second = BLOCKS.load("depths:Gated")
    assert second is not first
    assert "gated" not in BLOCKS.names()  # known by reference only


def test_file_with_a_dot_in_its_name_is_the_users_own(folder):
    (folder / "depths.py").rename(folder / "depths.v2.py")
    block = BLOCKS.load("./depths.v2.py:Gated")
    assert is_external_module(block.__module__)
    assert "gated" not in BLOCKS.names()  # known by reference only


def test_run_id_covers_the_file(folder, tiny):
    run_id = locate_run(tiny(SE)).run_id
    assert locate_run(tiny("model.block=./my_blocks.py:SEBlock")).run_id == run_id
    file = folder / "my_blocks.py"
    file.write_text(file.read_text().replace("max(width", "min(width"))
    assert locate_run(tiny(SE)).run_id != run_id


@pytest.mark.parametrize("override", [SE, NETWORK])
def test_record_is_valid_where_the_file_is_missing(folder, tiny, override):
    values = hashed_values(tiny(override), "")
    for file in folder.glob("*.py"):
        file.unlink()
    assert find_config_problem(values) is None
    assert hashed_family(values["model"]) == "residual"
    values["model"]["block"] = "my_blocks:SEBlock@not-a-hash"
    assert find_config_problem(values).startswith("config.model.block: ")


def write_folder(folder, factor):
    """Write a file that imports another one, and a package, from its own folder."""
    (folder / "layers").mkdir(parents=True)
    (folder / "layers/__init__.py").write_text(f"FACTOR = {factor}")
    (folder / "own_factor.py").write_text(f"FACTOR = {factor}")
    (folder / "own.py").write_text(f"{OWN_READERS}\nimport layers, own_factor\n")


@pytest.mark.parametrize("name", ["layers", "own_factor"])
def test_imports_are_those_of_the_files_own_folder(folder, monkeypatch, name):
    """Modules of the same name, importable here or imported before, are not taken for them."""
    monkeypatch.syspath_prepend(folder)
    for module in ("layers", "own_factor"):
        monkeypatch.setitem(sys.modules, module, None)  # restored after the test
        del sys.modules[module]
    write_folder(folder, 1)
    write_folder(folder / "a", 2)
    imported = importlib.import_module(name)
    path = [*sys.path]
    own = sys.modules[BLOCKS.load("a/own.py:Mine").__module__]
    assert getattr(own, name).FACTOR == 2
    assert sys.path == path
    assert sys.modules[name] is imported
    assert imported.FACTOR == 1


def test_two_folders_have_modules_of_one_name(folder):
    factors = []
    for number, name in enumerate(("a", "b")):
        write_folder(folder / name, number)
        module = BLOCKS.load(f"{name}/own.py:Mine").__module__
        factors.append(sys.modules[module].own_factor.FACTOR)
    assert factors == [0, 1]
    assert "own_factor" not in sys.modules


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize("edited", ["own_factor.py", "layers/__init__.py", "layers/inner.py"])
@pytest.mark.parametrize("reference", ["a/own.py:Mine", "own:Mine"])
def test_identity_covers_imports_from_the_folder(folder, monkeypatch, edited, reference):
    """An edited module is executed anew, too, also one that is imported by another one."""
    write_folder(folder / "a", 1)
    (folder / "a/layers/inner.py").write_text("VALUE = 1")
    (folder / "a/layers/__init__.py").write_text("from .inner import VALUE as FACTOR")
    (folder / "a/unrelated.py").write_text("VALUE = 1")
    monkeypatch.syspath_prepend(folder / "a")
    for module in ("layers", "layers.inner", "own_factor"):
        monkeypatch.setitem(sys.modules, module, None)  # restored after the test
        del sys.modules[module]
    identity = BLOCKS.identify(reference)
    first = sys.modules[BLOCKS.load(reference).__module__]
    (folder / "a/unrelated.py").write_text("VALUE = 2")
    (folder / "a" / edited).write_text("# a comment\n" + (folder / "a" / edited).read_text())
    assert BLOCKS.identify(reference) == identity
    (folder / "a" / edited).write_text("VALUE = FACTOR = 200")
    assert BLOCKS.identify(reference) != identity
    second = sys.modules[BLOCKS.load(reference).__module__]
    name = edited.partition("/")[0].removesuffix(".py")
    assert (getattr(first, name).FACTOR, getattr(second, name).FACTOR) == (1, 200)


def test_identity_without_imports_from_the_folder_is_pinned(folder):
    """Earlier releases covered the file alone."""
    (folder / "own.py").write_text("import os\nimport torch\n" + OWN_READERS)
    (folder / "os.py").write_text("")
    assert BLOCKS.identify("own:Mine") == f"own:Mine@{hash_source((folder / 'own.py').read_text())}"


@pytest.mark.fast_cases(2)
@pytest.mark.parametrize("own", ["model.block=own:Mine model.depth=11", "model.network=own:mine"])
@pytest.mark.parametrize("key", ["bottleneck_stride=1x1", "new_channels=either_side"])
def test_run_id_covers_every_key_that_own_code_may_read(folder, tiny, own, key):
    (folder / "own.py").write_text(OWN_READERS)
    overrides = [*own.split(), "model.shortcut=B"]
    ids = {locate_run(tiny(*overrides, *more)).run_id for more in ([], [f"model.{key}"])}
    assert len(ids) == 2


# --- mistakes

HEAD = """
from degradation.models.basic_block import BasicBlock
from degradation.registry import BLOCKS, NETWORKS
"""
MISTAKES = {
    "syntax": ("class B(:", r"bad\.py:5 is not valid Python"),
    "null byte": ("\0", "is not valid Python"),
    "another name": ("class A(BasicBlock): ...", r"defines no B, but A"),
    "not registered": ("class B(BasicBlock): ...", r"no registrations as a block"),
    "as a network": (
        "@NETWORKS.register('b')\nclass B(BasicBlock): ...",
        r"no registrations as a block",
    ),
    "no class": ("@BLOCKS.register('b', layers=2)\ndef B(): ...", "is not a class"),
    "no base": ("@BLOCKS.register('b', layers=2)\nclass B: ...", "is not a class that derives"),
    "not literal": (
        "n = 2\n@BLOCKS.register('b', layers=n)\nclass B(BasicBlock): ...",
        "all literals",
    ),
    "no layers": ("@BLOCKS.register('b')\nclass B(BasicBlock): ...", "lacks layers"),
    "no number": ("@BLOCKS.register('b', layers=0)\nclass B(BasicBlock): ...", "layers=0"),
    "unknown fact": (
        "@BLOCKS.register('b', layers=2, depth=3)\nclass B(BasicBlock): ...",
        "states depth, which is not one of layers",
    ),
    "bad option": (
        "@BLOCKS.register('b', layers=2, options={'a': [1]})\nclass B(BasicBlock): ...",
        "names with their defaults",
    ),
    "bad shortcut option": (
        "@BLOCKS.register('b', layers=2, shortcut_options=('a',))\nclass B(BasicBlock): ...",
        "not among its options",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_in_the_file_is_named(folder, mistake):
    code, message = MISTAKES[mistake]
    (folder / "bad.py").write_text(f"{HEAD}\n{code}\n")
    with pytest.raises(ExternalCodeError, match=message) as error:
        BLOCKS.facts("bad:B")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.block=nowhere:B", r"^model\.block: 'nowhere:B' .*no nowhere\.py in the working"),
        ("model.block=lib/nowhere.py:B", r"^model\.block: .*there is no file .*lib/nowhere\.py"),
        ("model.network=my_blocks:SEBlock", r"^model\.network: .*no registrations as a network"),
        ("model.block=my_blocks", r"'my_blocks' is not allowed; allowed: my_blocks:SEBlock"),
        ("model.block=lib/../my_blocks.py", r"allowed: lib/\.\./my_blocks\.py:SEBlock"),
        ("model.block=lib/../no.py:B", r"there is no file (?!.*\.\./no).*/no\.py; "),
        (f"{SE}@0123456789ab", r"^model\.block: .*without @ and the hash"),
    ],
)
def test_bad_reference_is_refused(compose_config, override, message):
    with pytest.raises(ConfigError, match=message) as error:
        compose_config(override)
    assert "; allowed: " in str(error.value)


OWN_OPTIONS = """
@NETWORKS.register("n", blocks={blocks}, options={{"scale": 1.0, "bias": True}})
def n(model, channels, classes, scale, bias): ...

@BLOCKS.register("b", layers=2, options={{"{option}": 2.0}})
class B(BasicBlock): ...
"""


@pytest.mark.fast_cases(1)
@pytest.mark.parametrize("option", ["scale", "bias"])
def test_option_of_both_network_and_block_is_refused(folder, compose_config, option):
    overrides = ["model.network=both:n", "model.block=both:B"]
    file = folder / "both.py"
    file.write_text(HEAD + OWN_OPTIONS.format(blocks=True, option=option))
    for value in ([], [f"model.options.{option}=2.0"]):
        with pytest.raises(ConfigError, match=rf"^model\.options\.{option}: is an option of both "):
            compose_config(*overrides, *value)
    for blocks, name in ((True, "other"), (False, option)):
        file.write_text(HEAD + OWN_OPTIONS.format(blocks=blocks, option=name))
        assert compose_config(*overrides).model.block == "both:B"


def test_factory_that_returns_no_module_is_refused(folder, make_model):
    code = "@NETWORKS.register('b', depths=(4, 6))\ndef b(model, channels, classes): return 3\n"
    (folder / "bad.py").write_text(HEAD + code)
    assert NETWORKS.facts("bad:b") == {"depths": (4, 6)}
    with pytest.raises(ConfigError, match=r"^model\.network: bad:b returns a int; allowed: "):
        build_network(make_model(network="bad:b"), 1, 10)


def test_depths_of_a_network_are_its_own(folder, compose_config):
    (folder / "bad.py").write_text(f"{HEAD}@NETWORKS.register('b', depths=(4, 6))\nclass b: ...\n")
    assert compose_config("model.network=bad:b", "model.depth=4").model.depth == 4
    with pytest.raises(ConfigError, match=r"^model\.depth: 8 is not allowed; allowed: 4, 6 with"):
        compose_config("model.network=bad:b", "model.depth=8")
    assert compose_config(NETWORK, "model.depth=3").model.depth == 3


# --- numbers


def test_census_counts_gates_and_single_parameters(make_model):
    basic, gated = (
        measure_complexity(make_model(depth=8, width=4, block=block), 1, 8, 10)
        for block in ("basic", "depths:Gated")
    )
    assert gated.parameters - basic.parameters == 3  # one per block
    assert gated.multiply_adds == basic.multiply_adds
    squeezed = measure_complexity(make_model(depth=8, width=4, block="my_blocks:SEBlock"), 1, 8, 10)
    gates = sum(2 * w * (w // 4) + w // 4 + w for w in (4, 8, 16))
    assert squeezed.parameters - basic.parameters == gates


def test_shared_layer_counts_its_parameters_once(folder, make_model):
    code = """
from torch import nn
from degradation.registry import NETWORKS

@NETWORKS.register("tied")
def tied(model, channels, classes):
    layer = nn.Conv2d(channels, channels, 1, bias=False)
    return nn.Sequential(layer, layer, nn.Flatten(), nn.Linear(channels * 64, classes))
"""
    (folder / "tied.py").write_text(code)
    layers = list_layers(make_model(network="tied:tied"), 2, 8, 10)
    assert [layer.parameters for layer in layers] == [4, 0, 1290]
    assert [layer.multiply_adds for layer in layers] == [256, 256, 1280]


def test_construction_follows_from_the_seed_alone(tiny):
    weights = []
    for state in (1, 2):
        torch.manual_seed(state)
        before = torch.get_rng_state()
        network = build_initial_network(tiny(GATED), 1, 10)
        assert torch.equal(torch.get_rng_state(), before)
        weights.append([block.gate.item() for block in network.blocks()])
    assert weights[0] == weights[1]
    assert len(set(weights[0])) == 3
    other = build_initial_network(tiny(GATED, "seed=1"), 1, 10)
    assert [block.gate.item() for block in other.blocks()] != weights[0]


@pytest.mark.fast_cases(3)
@pytest.mark.parametrize("order", ["post", "pre"])
@pytest.mark.parametrize("probe", ["identity", "paths", "gradient_flow", "responses"])
def test_probes_repeat_a_blocks_draws(make_model, probe, order):
    """The gradient identity holds although every forward pass drops other blocks."""
    keys = {"block": "depths:StochasticDepth", "options": {"survival": 0.3}}
    model = make_model(depth=14, width=4, order=order, **keys)
    network = build_network(model, 1, 10)
    batch = torch.rand(8, 1, 8, 8), torch.arange(8)
    table = measure_probe(probe, network, batch, seed=0, iteration=3)
    assert table == measure_probe(probe, network, batch, seed=0, iteration=3)
    if probe == "identity":
        assert max(table["relative_difference"]) < 1e-12
        assert 0.0 in table["by_convolutions"]  # of a dropped block
        assert max(table["by_convolutions"]) > 0


OWN_FORWARD = """
from degradation.models.basic_block import BasicBlock
from degradation.models.network import Network

class Doubled:
    def forward(self, x):
        return 2 * super().forward(x)

class Gated(Doubled, BasicBlock): ...
class Straight(Doubled, Network): ...
"""
USES_OWN_FORWARD = """
from own_forward import Gated, Straight

@BLOCKS.register("b", layers=2)
class B(Gated): ...

@NETWORKS.register("n", blocks=True)
def n(model, channels, classes):
    return Straight(model, channels, classes)
"""


@pytest.mark.parametrize("own", ["model.block=uses:B", "model.network=uses:n"])
def test_probes_of_blocks_skip_a_forward_from_another_file(folder, tiny, own, caplog):
    (folder / "own_forward.py").write_text(OWN_FORWARD)
    (folder / "uses.py").write_text(HEAD + USES_OWN_FORWARD)
    config = tiny(own)
    trainer = Trainer(config, load_dataset(config.data), CPU)
    measured = {result.probe for result in trainer.run_probes()}
    assert measured == {
        name for name in config.probes.training if PROBES.facts(name).get("any_network", False)
    }
    warn_about_skipped_probes(config, trainer.network, "r")
    assert "identity, lesions, paths are skipped" in caplog.text


def test_own_network_and_usual_blocks_can_be_taken_apart(make_model):
    assert is_separable(build_network(make_model(depth=8, width=4), 1, 10))
    assert is_separable(build_network(make_model(depth=8, width=4, block="depths:Gated"), 1, 10))


@pytest.mark.parametrize("registry", [BLOCKS, NETWORKS])
def test_registered_class_has_the_methods_of_own_bases(registry):
    class Base:
        def forward(self): ...

    @registry.register("with_base")
    class WithBase(Base): ...

    @registry.register("with_usual_base")
    class WithUsualBase(BasicBlock): ...

    assert "forward" in registry.methods("with_base")
    assert "forward" not in registry.methods("with_usual_base")
    registry.unregister("with_base")
    registry.unregister("with_usual_base")


def test_own_initialisation_is_kept(folder, tiny):
    code = (folder / "depths.py").read_text()
    code = code.replace('"gated", layers=2', '"gated", layers=2, own_initialisation=True')
    code = code.replace("self.gate =", "nn.init.ones_(self.conv1.weight); self.gate =")
    (folder / "depths.py").write_text(code)
    network = build_initial_network(tiny(GATED, "model.shortcut=B"), 1, 10)
    block = network.layer2[0]
    assert bool((block.conv1.weight == 1).all())
    usual = build_initial_network(tiny("model.shortcut=B"), 1, 10)
    assert torch.equal(network.conv1.weight, usual.conv1.weight)


# --- runs


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        SE,
        GATED,
        f"{STOCHASTIC} model.bn_statistics=exact",
        f"{STOCHASTIC} model.options.survival=0.8 model=plain",
        f"{NETWORK} model.bn_statistics=exact",
        f"{NETWORK} model=plain model.depth=5",
    ],
)
def test_own_code_is_trained_probed_and_resumed(tiny, overrides, caplog):
    config = tiny(
        *THREE_ITERATIONS, "schedule.snapshots=[2]", "landscape.square=3", *overrides.split()
    )
    assert train(config) == "done"
    assert (run_probes(config), run_landscape(config)) == ("explained", "measured")
    assert ("are skipped" in caplog.text) == (NETWORK in overrides)
    dataset = load_dataset(config.data)
    whole = list(fit(Trainer(config, dataset, CPU)))
    for stop_after in (1, 2):
        first, seen = Trainer(config, dataset, CPU), []
        torch.manual_seed(stop_after)
        for event in fit(first):
            seen.append(event)
            if event == Progress(stop_after):
                break
        second = Trainer(config, dataset, CPU)
        second.restore(serialization.load(serialization.dump(first.state())))
        seen += fit(second)
        rows = [[event.row for event in run if isinstance(event, Metrics)] for run in (whole, seen)]
        assert rows[0] == rows[1]


@pytest.mark.slow
def test_own_block_is_swept_in_processes_of_the_pool(folder, tiny_overrides):
    """The file lies beside nothing of the repository: only in the working directory."""
    script = Path(__file__).parents[2] / "experiments/train.py"
    command = [sys.executable, str(script), "-m", *tiny_overrides, *THREE_ITERATIONS, SE]
    command += ["model.options.reduction=2,4", "model=plain,residual", "record_root=runs"]
    completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert completed.returncode == 0, completed.stderr
    assert len(list(folder.glob("runs/*/DONE"))) == 4


@pytest.mark.slow
def test_sweep_of_own_code_is_composed_without_torch(folder):
    code = (
        "import sys; from degradation.sweep.runs import expand_runs;"
        f"assert len(expand_runs(['{SE}', 'seed=0,1'])) == 2; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True)
