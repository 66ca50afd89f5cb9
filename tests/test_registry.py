"""Registries know the package's definitions without importing them, and accept others."""

import pytest

from degradation import registry as registry_module
from degradation.registry import Registry

BUILT_IN = """
from degradation.registry import SHAPES
raise ImportError("the facts are read without importing the file")

@SHAPES.register("square", sides=4, convex=True)
class Square: ...

@SHAPES.register("star", sides=10)
def star(): ...
"""


@pytest.fixture
def shapes(tmp_path, monkeypatch):
    """A registry whose package holds a file that must not be imported."""
    (tmp_path / "shapes").mkdir()
    (tmp_path / "shapes/built_in.py").write_text(BUILT_IN)
    monkeypatch.setattr(registry_module, "PACKAGE", tmp_path)
    return Registry("SHAPES", "shape", "shapes")


def test_facts_are_read_without_importing(shapes):
    assert shapes.names() == ("square", "star")
    assert shapes.facts("square") == {"sides": 4, "convex": True}
    with pytest.raises(KeyError):
        shapes.facts("circle")


def test_hidden_files_hold_no_definitions(shapes, tmp_path):
    """What macOS leaves beside each file on some file systems."""
    (tmp_path / "shapes/._built_in.py").write_bytes(b"\0\5\x16\7\xff")
    assert shapes.names() == ("square", "star")


def test_definition_outside_the_package_is_registered(shapes):
    @shapes.register("circle", sides=0)
    class Circle: ...

    assert shapes.names() == ("circle", "square", "star")
    assert shapes.facts("circle") == {"sides": 0}
    assert shapes.load("circle") is Circle
    shapes.unregister("circle")
    assert shapes.names() == ("square", "star")


def test_name_of_another_definition_is_refused(shapes):
    with pytest.raises(ValueError, match=r"^shape 'square': is registered already, by .*Square$"):

        @shapes.register("square")
        class Other: ...


def test_same_definition_is_registered_twice(shapes):
    for sides in (3, 5):

        @shapes.register("polygon", sides=sides)
        class Polygon: ...

    assert shapes.facts("polygon") == {"sides": 5}
    assert shapes.load("polygon") is Polygon


@pytest.mark.parametrize(
    "call", ["SHAPES.register(NAME)", "SHAPES.register('a', sides=N)", "SHAPES.register()"]
)
def test_registration_by_other_than_literals_is_refused(shapes, call):
    path = registry_module.PACKAGE / "shapes/computed.py"
    path.write_text(f"@{call}\nclass Shape: ...\n")
    with pytest.raises(ValueError, match=r"computed\.py:1: register takes one name and keyword"):
        shapes.names()


def test_name_registered_in_two_files_is_refused(shapes):
    path = registry_module.PACKAGE / "shapes/second.py"
    path.write_text("@SHAPES.register('star')\nclass Star: ...\n")
    with pytest.raises(ValueError, match=r"second\.py: the shape 'star' is registered twice"):
        shapes.names()


@pytest.mark.parametrize("name", ["BLOCKS", "DATASETS", "PROBES"])
def test_built_in_definitions_load(name):
    registry = getattr(registry_module, name)
    assert registry.variable == name
    for entry in registry.names():
        assert callable(registry.load(entry))
