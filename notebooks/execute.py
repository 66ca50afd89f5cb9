"""Execute notebooks/degradation.ipynb from top to bottom, and write its outputs into it.

python notebooks/execute.py

Nothing is written if a cell fails. What changes from one execution to the next although the results
do not, such as the times of cells and the state of widgets, is removed.
"""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).with_name("degradation.ipynb")
CELL_TIMEOUT_S = 600  # time limit for one cell, on the slowest machine
KERNEL = "python3"  # the kernel of the Python that executes this file
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": KERNEL},
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_TEXT = "The menus appear here when you run this cell."


class ExecutionError(Exception):
    """The notebook cannot be executed; the message is one line, or a cell's traceback."""


def execute(notebook: Any, folder: Path) -> None:
    """Execute all cells in place, in a new kernel whose working directory is `folder`.

    Raises ExecutionError if a package is missing, the kernel does not start, or a cell fails.
    """
    try:
        from jupyter_client.kernelspec import NoSuchKernel
        from nbclient import NotebookClient
        from nbclient.exceptions import CellControlSignal
    except ImportError as error:
        raise ExecutionError(f"{error.name} is missing; run `make setup`") from None
    # the kernel of this Python, and not one of the same name that the user has installed
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_S,
        kernel_name=KERNEL,
        record_timing=False,
        extra_arguments=["--IPKernelApp.log_level=ERROR"],  # no advice about its local sockets
        resources={"metadata": {"path": str(folder)}},
    )
    try:
        client.execute()
    except CellControlSignal as error:  # a cell failed, or took too long
        raise ExecutionError(str(error)) from None
    except (NoSuchKernel, RuntimeError, OSError) as error:
        raise ExecutionError(f"the kernel cannot start, or died: {error}") from None


def clean(notebook: Any) -> None:
    """Remove, in place, everything from an executed notebook that is not a result."""
    notebook.metadata = METADATA
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [_clean_output(output) for output in _join_streams(cell.outputs)]


def _join_streams(outputs: Iterable[Any]) -> list[Any]:
    """Return the outputs with successive pieces of the same stream joined.

    How many pieces there are depends on the machine's speed.
    """
    joined: list[Any] = []
    for output in outputs:
        is_stream = output.output_type == "stream"
        if is_stream and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _clean_output(output: Any) -> Any:
    """Return an output without metadata; a widget, which needs a kernel, becomes a line of text."""
    if "metadata" in output:
        output.metadata = {}
    if WIDGET in output.get("data", {}):
        output.data = {"text/plain": WIDGET_TEXT}
    return output


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    try:
        import nbformat
    except ImportError:
        sys.exit("nbformat is missing; run `make setup`")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    try:
        execute(notebook, NOTEBOOK.parent)
    except ExecutionError as error:
        sys.exit(f"{NOTEBOOK.name}: {error}")
    clean(notebook)
    nbformat.write(notebook, NOTEBOOK)
    print(f"{os.path.relpath(NOTEBOOK)}: {NOTEBOOK.stat().st_size / 1000:.1f} kB")


if __name__ == "__main__":
    main()
