"""The hash of the code that determines numbers: what changes it, and what does not."""

import sys
import textwrap

import pytest

from degradation import numerical_code
from degradation.numerical_code import (
    combine_hashes,
    hash_numerical_code,
    list_changed_files,
)
from degradation.registry import BLOCKS
from degradation.source_hash import hash_source

SOURCE = '''
"""A module."""

def scale(x: float) -> float:
    """Return x, scaled."""
    factor = 0.5  # a half
    return factor * x
'''
UNSEEN = {
    "docstring": ("Return x, scaled.", "Scale x.\n\n    By a half."),
    "no docstring": ('    """Return x, scaled."""\n', ""),
    "comment": ("# a half", "# 50 %"),
    "blank lines": ("    return", "\n\n    return"),
    "quotes and brackets": ("factor * x", "(factor * x)"),
}
SEEN = {
    "constant": ("0.5", "0.1"),
    "type of a constant": ("0.5", "'0.5'"),
    "operator": ("factor * x", "factor + x"),
    "order": ("factor * x", "x * factor"),
    "name": ("factor", "share"),
}


@pytest.mark.parametrize("change", UNSEEN.values(), ids=UNSEEN)
def test_change_of_form_keeps_the_hash(change):
    assert hash_source(SOURCE.replace(*change)) == hash_source(SOURCE)


@pytest.mark.parametrize("change", SEEN.values(), ids=SEEN)
def test_change_of_code_changes_the_hash(change):
    assert hash_source(SOURCE.replace(*change)) != hash_source(SOURCE)


def test_every_module_that_training_imports_is_hashed():
    """Modules of the layers that compute numbers; what they import elsewhere only describes."""
    hashes = hash_numerical_code("basic", "digits")
    for file in ("models/blocks.py", "training/optimizer.py", "data/augment.py"):
        assert file in hashes
    assert "config/architecture.py" in hashes
    assert not any(file.startswith(("records", "tracking", "sweep")) for file in hashes)


def test_hidden_files_are_not_hashed(tmp_path, monkeypatch):
    """What macOS leaves beside each file on some file systems."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.py").write_text(SOURCE)
    (tmp_path / "data/._a.py").write_bytes(b"\0\5\x16\7\xff")
    monkeypatch.setattr(numerical_code, "PACKAGE", tmp_path)
    monkeypatch.setattr(numerical_code, "FILES", ())
    hashes = numerical_code._read_package_hashes()
    assert hashes == {"data/a.py": hash_source(SOURCE)}


def test_files_edited_after_the_import_are_listed(tmp_path, monkeypatch):
    monkeypatch.setattr(numerical_code, "PACKAGE", tmp_path)
    monkeypatch.setattr(numerical_code, "FILES", ())
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.py").write_text(SOURCE)
    imported = numerical_code._read_package_hashes()
    monkeypatch.setattr(numerical_code, "hash_package", lambda: imported)
    assert numerical_code.list_edited_files() == []
    (tmp_path / "data/a.py").write_text("# a comment\n" + SOURCE)
    assert numerical_code.list_edited_files() == []
    (tmp_path / "data/a.py").write_text(SOURCE + "\nEDITED = 1\n")
    assert numerical_code.list_edited_files() == ["data/a.py"]


def test_changed_added_and_removed_files_are_listed():
    before = {"a.py": "1", "b.py": "2", "c.py": "3"}
    after = {"a.py": "1", "b.py": "20", "d.py": "4"}
    assert list_changed_files(before, after) == ["b.py", "c.py", "d.py"]
    assert combine_hashes(before) != combine_hashes(after)
    assert combine_hashes(before) == combine_hashes(dict(reversed(before.items())))


@pytest.fixture
def own_block(tmp_path, monkeypatch):
    """Return a function: factor -> registers a block of the user's own module with this factor."""
    monkeypatch.syspath_prepend(tmp_path)

    def register(factor: float) -> None:
        sys.modules.pop("own_block", None)
        source = f"""
            from degradation.models.basic_block import BasicBlock
            from degradation.registry import BLOCKS

            @BLOCKS.register("own", layers=2)
            class OwnBlock(BasicBlock):
                factor = {factor}
            """
        (tmp_path / "own_block.py").write_text(textwrap.dedent(source))
        __import__("linecache").checkcache()
        __import__("own_block")

    yield register
    BLOCKS.unregister("own")
    sys.modules.pop("own_block", None)


def test_module_of_a_users_own_block_is_hashed(own_block):
    own_block(0.1)
    before = hash_numerical_code("own", "digits")
    own_block(0.55)
    after = hash_numerical_code("own", "digits")
    assert list_changed_files(before, after) == ["own_block"]
    assert "own_block" not in hash_numerical_code("basic", "digits")


def test_module_that_a_users_own_block_imports_is_hashed(own_block, tmp_path):
    """Otherwise a run would be returned as done although its block computes something else."""
    own_block(0.1)
    block = tmp_path / "own_block.py"
    block.write_text("import own_helper\n" + block.read_text())
    helper = tmp_path / "own_helper.py"
    helper.write_text("SCALE = 1\n")
    before = hash_numerical_code("own", "digits")
    helper.write_text("SCALE = 10\n")
    after = hash_numerical_code("own", "digits")
    assert list_changed_files(before, after) == ["own_block"]
    assert after == hash_numerical_code("own", "digits")


def test_block_of_a_notebook_never_matches(own_block, monkeypatch):
    """Its cells have no file, so a changed helper in another cell would not be seen."""
    own_block(0.1)
    monkeypatch.delattr(sys.modules["own_block"], "__file__")
    before = hash_numerical_code("own", "digits")
    assert list_changed_files(before, hash_numerical_code("own", "digits")) == ["own_block"]


def test_unregistered_block_adds_nothing():
    assert hash_numerical_code("unknown", "digits") == hash_numerical_code("basic", "digits")
