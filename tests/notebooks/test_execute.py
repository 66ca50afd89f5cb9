"""Executing the notebook: what is removed from it, and one line for what prevents it."""

import sys

import nbformat
import pytest

from notebooks import execute as module


def build_notebook(*outputs):
    cell = nbformat.v4.new_code_cell("1", outputs=list(outputs))
    return nbformat.v4.new_notebook(cells=[cell])


def test_times_and_kernel_versions_are_removed():
    notebook = build_notebook()
    notebook.cells[0].metadata = {"execution": {"iopub.execute_input": "2026-01-01T00:00:00Z"}}
    notebook.metadata = {"widgets": {"state": {}}, "language_info": {"version": "3.11.7"}}
    module.clean(notebook)
    assert notebook.cells[0].metadata == {}
    assert notebook.metadata == module.METADATA
    assert notebook.metadata["language_info"] == {"name": "python"}


def test_pieces_of_a_stream_are_joined():
    pieces = [("stdout", "a"), ("stdout", "b"), ("stderr", "c"), ("stdout", "d")]
    notebook = build_notebook(
        *(nbformat.v4.new_output("stream", name=name, text=text) for name, text in pieces)
    )
    module.clean(notebook)
    joined = [(output.name, output.text) for output in notebook.cells[0].outputs]
    assert joined == [("stdout", "ab"), ("stderr", "c"), ("stdout", "d")]


def test_widget_becomes_a_line_and_a_figure_stays():
    widget = {module.WIDGET: {"model_id": "a1"}, "text/plain": "interactive(children=...)"}
    figure = {"image/png": "iVBORw0K", "text/plain": "<Figure>"}
    notebook = build_notebook(
        *(nbformat.v4.new_output("display_data", data) for data in (widget, figure))
    )
    module.clean(notebook)
    data = [output.data for output in notebook.cells[0].outputs]
    assert data == [{"text/plain": module.WIDGET_TEXT}, figure]


def test_missing_package_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "nbclient", None)
    with pytest.raises(module.ExecutionError, match=r"^nbclient is missing; run `make setup`$"):
        module.execute(build_notebook(), tmp_path)


def test_kernel_that_cannot_start_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "KERNEL", "no-such-kernel")
    with pytest.raises(module.ExecutionError, match="the kernel cannot start") as error:
        module.execute(build_notebook(), tmp_path)
    assert "no-such-kernel" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_notebook_with_a_failing_cell_is_not_written(monkeypatch, tmp_path):
    path = tmp_path / "failing.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    nbformat.write(notebook, path)
    before = path.read_bytes()
    monkeypatch.setattr(module, "NOTEBOOK", path)
    monkeypatch.setattr(sys, "argv", ["execute.py"])
    with pytest.raises(SystemExit, match="ZeroDivisionError"):
        module.main()
    assert path.read_bytes() == before
