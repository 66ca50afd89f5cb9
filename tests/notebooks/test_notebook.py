"""The lecture's notebook: executed without errors, small, free of the machine, and consistent."""

import ast
import copy
import re
from pathlib import Path

import nbformat
import pandas as pd
import pytest
import yaml
from scipy.stats import ttest_ind

from notebooks.execute import NOTEBOOK, clean, execute

ROOT = Path(__file__).parents[2]
MAX_BYTES = 1_000_000
EXERCISES = 5
PREDICT = "**Predict"
MACHINE = re.compile(r"(?<![\w.])/(?:root|home|work|tmp|Users|content)\b|site-packages|\bat 0x")
SOLUTION = re.compile(
    r"<details>\n<summary>.*</summary>\n\n```python\n(.*?)```.*</details>", re.DOTALL
)
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def list_code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def find_cell(notebook, name):
    (cell,) = [cell for cell in notebook.cells if cell.id == name]
    return cell


def list_data(cell):
    """Return the data of a cell's outputs, one mapping from type to content per output."""
    return [output.data for output in cell.outputs if "data" in output]


def read_solutions(notebook):
    """Return the code of each solution, in the order of the exercises."""
    return [
        SOLUTION.fullmatch(find_cell(notebook, f"solution-{number}").source)[1]
        for number in range(1, EXERCISES + 1)
    ]


def test_notebook_is_valid_and_small(notebook):
    nbformat.validate(notebook)
    assert NOTEBOOK.stat().st_size < MAX_BYTES


def test_cells_were_executed_in_order_without_errors(notebook):
    cells = list_code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        assert bool(cell.outputs) == (cell.id not in ("install", "imports")), cell.id
        assert [
            output for output in cell.outputs if output.output_type in ("error", "stream")
        ] == []


def test_notebook_has_nothing_to_clean(notebook):
    cleaned = copy.deepcopy(notebook)
    clean(cleaned)
    assert cleaned == notebook


def test_notebook_names_no_machine():
    for line in NOTEBOOK.read_text(encoding="utf-8").splitlines():
        if '"image/png"' not in line:
            assert not MACHINE.search(line), line


def test_reader_predicts_before_each_figure(notebook):
    texts, figures = "", 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            texts = cell.source
        elif any("image/png" in data for data in list_data(cell)):
            figures += 1
            assert PREDICT in texts, cell.id
    assert figures >= 9


def test_links_lead_to_files(notebook):
    for cell in notebook.cells:
        for target in LINK.findall(cell.source) if cell.cell_type == "markdown" else ():
            if "://" not in target:
                assert (NOTEBOOK.parent / target.partition("#")[0]).exists(), target


def test_every_exercise_has_a_folded_solution(notebook):
    numbers = range(1, EXERCISES + 1)
    names = [name for number in numbers for name in (f"exercise-{number}", f"solution-{number}")]
    assert [cell.id for cell in notebook.cells][-len(names) :] == names
    for code in read_solutions(notebook):
        ast.parse(code)


def test_outputs_show_the_ledgers_numbers(notebook):
    summary = pd.read_csv(ROOT / "experiments/ledger/quick/summary.csv")
    means = summary.set_index(["family", "depth"])["training_error_mean"]
    texts = {cell.id: str(list_data(cell)) for cell in list_code_cells(notebook)}
    for depth in (20, 32, 44, 56, 110):
        assert f"{depth} layers {means['plain', depth]:.1f} %" in texts["plain-depths-said"]
        assert f"{depth} layers {means['residual', depth]:.2f} %" in texts["both-families-said"]
    rates = pd.read_csv(ROOT / "experiments/ledger/learning_rate_digits/learning-rate.csv")
    plain = rates[(rates["family"] == "plain") & (rates["depth"] == 56)]
    assert f"**{plain['training_error_mean'].min():.1f} %**" in texts["rates-said"]


def test_written_numbers_are_those_of_the_experiments(notebook):
    experiment = ROOT / "conf/experiment/learning_rate_digits.yaml"
    parameters = yaml.safe_load(experiment.read_text())["hydra"]["sweeper"]["params"]
    text = find_cell(notebook, "explore").source.replace("\n", " ")
    assert parameters["optim.lr"].replace(",", ", ") in text
    quick = yaml.safe_load((ROOT / "conf/experiment/quick.yaml").read_text())
    assert str(quick["hydra"]["sweeper"]["params"]["model.depth"]).replace(",", ", ") in text


def test_gap_shrinks_but_remains_as_the_text_says(notebook):
    longer = pd.read_csv(ROOT / "experiments/ledger/longer_digits/longer.csv")
    plain = longer[longer["family"] == "plain"].set_index(["schedule.iterations", "depth"])
    errors = plain["training_error_mean"]
    gaps = [errors[iterations, 56] - errors[iterations, 20] for iterations in (400, 1200)]
    assert 2 < gaps[1] < gaps[0]
    text = f"falls from {gaps[0]:.0f} to {gaps[1]:.0f} points, but remains"
    assert text in " ".join(find_cell(notebook, "sure-end").source.split())


def test_solutions_state_the_ledgers_numbers(notebook):
    runs = pd.read_csv(ROOT / "experiments/ledger/learning_rate_digits/runs.csv")
    residual = runs[(runs["family"] == "residual") & (runs["depth"] == 56)]
    at_worst_rate = residual[residual["optim.lr"] == 0.1].sort_values("seed")["train/clean_error"]
    first, second, third = (f"{error:.0f}" for error in at_worst_rate)
    assert f"{first}, {second} and {third} %" in find_cell(notebook, "solution-2").source

    runs = pd.read_csv(ROOT / "experiments/ledger/width_digits/runs.csv")
    plain = runs[(runs["family"] == "plain") & (runs["depth"] == 56)]
    by_width = plain.groupby("model.width")["train/clean_error"].mean()
    text = f"{by_width[16]:.0f} % with 16 filters, {by_width[32]:.0f} % with 32"
    assert text in " ".join(find_cell(notebook, "solution-3").source.split())

    runs = pd.read_csv(ROOT / "experiments/ledger/scaled_digits/runs.csv")
    deep = runs[runs["depth"] == 56]
    by_scale = deep.groupby("model.options.shortcut_scale")["train/clean_error"].mean()
    text = (
        f"{by_scale[0.25]:.0f}, {by_scale[0.5]:.0f}, {by_scale[0.75]:.1f} and {by_scale[1.0]:.1f} %"
    )
    assert text in " ".join(find_cell(notebook, "solution-4").source.split())


def test_first_exercise_states_the_bound_of_welch(notebook):
    runs = pd.read_csv(ROOT / "experiments/ledger/quick/runs.csv")
    plain = runs[runs["family"] == "plain"].set_index("depth")["train/clean_error"]
    test = ttest_ind(plain[32], plain[20], equal_var=False, alternative="greater")
    bound = test.confidence_interval(0.95).low
    assert f"lower bound, {bound:+.2f} points" in find_cell(notebook, "solution-1").source


def test_menus_are_not_needed(notebook, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    printed = []
    exec(find_cell(notebook, "menus").source, {"say": printed.append})
    assert "not installed" in printed[0]


@pytest.mark.slow
def test_notebook_and_solutions_run_without_errors(notebook, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    complete = copy.deepcopy(notebook)
    for code in read_solutions(notebook):
        complete.cells.append(nbformat.v4.new_code_cell(code))
    execute(complete, NOTEBOOK.parent)
    clean(complete)
    for cell, saved in zip(complete.cells, notebook.cells, strict=False):
        if cell.cell_type == "code":  # the same kinds of outputs as those that are committed
            assert [set(data) for data in list_data(cell)] == [
                set(data) for data in list_data(saved)
            ], cell.id
    assert all(list_data(cell) for cell in complete.cells[-EXERCISES:])
    assert list(tmp_path.rglob("run.json")) == []  # the runs of the reader are gone
