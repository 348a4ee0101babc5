"""What `rolling.py` measures: the works, the table, and those bars that no noise can move."""

import json

import pytest

from gradcompile.graph.value import topological
from tests.benchmarks import rolling
from tests.benchmarks.process import compiled, difference
from tests.benchmarks.rolling import (
    AGREE,
    LINEAR,
    Figure,
    Lab,
    Row,
    busy,
    compiling,
    markdown,
    save,
)
from tests.benchmarks.works import WORKS, chain, irregular, mlp, pendulum, rnn, transformer, tree
from tests.helpers.flat import python_of


def noise():
    """Return how far times may be off: more on a machine that others use as well."""
    return 2.0 if busy() else 1.2


def before_numba(found):
    """Return the seconds of our own stages: numba's are the larger part, and do not grow."""
    return sum(seconds for stage, seconds in found["stages"].items() if stage != "numba")


# --- the works -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [irregular, chain, tree])
@pytest.mark.parametrize("operations", [100, 1001])
def test_a_work_has_as_many_operations_as_it_says(make, operations):
    root = make(operations).loss()
    assert sum(value.op is not None for value in topological(root)) == operations


def test_the_transformer_has_the_parameters_of_the_model_it_copies():
    work = transformer(positions=2)
    assert len(work.parameters) == 4192
    assert len(set(map(id, work.parameters))) == 4192


@pytest.mark.peers
def test_the_two_moons_are_those_of_the_lecture():
    pytest.importorskip("sklearn")
    root = WORKS["moons"]().loss()
    assert len(topological(root)) == 65_818
    assert root.data == pytest.approx(0.8958441028683222, rel=1e-12)


# --- what comes out, without machine code --------------------------------------------------------


@pytest.mark.parametrize(
    ("work", "lines"),
    [
        (mlp(32, 8, 5), 160),
        (rnn(12, 4, 2), 160),
        (pendulum(200), 160),
        (chain(5_000), 40),
        (tree(5_000), 40),
    ],
    ids=["mlp", "rnn", "pendulum", "chain", "tree"],
)
def test_a_work_becomes_loops_that_agree(work, lines):
    root = work.step()
    kernel = compiled(work, root).value_and_grad
    assert len(kernel.source.splitlines()) < lines
    assert difference(python_of(kernel)(work.flat), (root.data, work.gradient)) < AGREE


# --- the table -----------------------------------------------------------------------------------

ROW = Row(
    "a work",
    12_345,
    [
        Figure("time", 0.00123, "s", 0.002, note="a note"),
        Figure("ratio", 0.31, "×", 0.30),
        Figure("factor", 7_000.0, "×", 5_000, at_least=True),
        Figure("slow", 9.0, "s", 6.0, computed=4.0),
        Figure("nothing", None, "", 120),
        Figure("told", 6.5e9, "B"),
    ],
)


def test_verdicts():
    verdicts = ["met", "missed", "met", "met by core time", "missed", ""]
    assert [figure.verdict for figure in ROW.figures] == verdicts


def test_the_page_has_a_line_for_each_figure():
    lines = markdown([ROW], ["what was run"]).splitlines()
    assert "| a work | 12,345 | time | 1.23 ms | ≤ 2 ms | met |" in lines
    assert "|  |  | factor | 7,000 × | ≥ 5,000 × | met |" in lines
    assert "|  |  | told | 6.50 GB |  |  |" in lines
    assert "- a work, time: a note" in lines


def test_the_figures_are_saved(tmp_path):
    for name in ("found.md", "found.json"):
        save(tmp_path / name, [ROW], ["what was run"])
    assert (tmp_path / "found.md").read_text().startswith("# ")
    found = json.loads((tmp_path / "found.json").read_text())
    figures = found["rows"][0]["figures"]
    assert [figure["verdict"] for figure in figures] == [figure.verdict for figure in ROW.figures]


def test_a_row_that_fails_is_a_row(monkeypatch):
    monkeypatch.setitem(rolling.ROWS, "rnn", lambda lab: lab.cold(job="build", work="unknown"))
    (figure,) = rolling.measured("rnn", Lab()).figures
    assert figure.verdict == "missed"
    assert "unknown" in figure.note


# --- the bars ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab():
    return Lab()


def requires_peers():
    for name in ("jax", "micrograd", "sklearn"):
        pytest.importorskip(name)


@pytest.mark.peers
@pytest.mark.slow
def test_the_two_moons(lab, tmp_path):
    requires_peers()
    cold = lab.run(str(tmp_path), job="build", work="moons", check=True)
    assert cold["lines"] < 160
    assert max(cold["from interpreter"], cold["from eager"]) < AGREE
    warm = lab.run(str(tmp_path), job="build", work="moons")
    assert (cold["from cache"], warm["from cache"]) == (False, True)
    assert warm["computed"] < noise() * 1.5
    steps = lab.run(str(tmp_path), job="steps", work="moons", jax=True, turns=3)
    assert max(steps["differences"].values()) < AGREE
    by_jax = min(one["times"] for name, one in steps["fast"].items() if name.startswith("jax"))
    assert 1 / by_jax < noise() * 0.30
    assert steps["slow"]["eager"]["times"] > 20_000 / noise()


@pytest.mark.slow
def test_the_transformer_is_few_nests():
    work = transformer()
    root = work.step()
    function = compiled(work, root)
    kernel = function.value_and_grad
    kernel.source  # noqa: B018
    assert kernel._build().code.rolled["nests"] < 120
    assert difference(python_of(kernel)(work.flat), (root.data, work.gradient)) < AGREE


@pytest.mark.slow
@pytest.mark.parametrize("work", ["rnn", "pendulum"])
def test_recurrences_compile_in_linear_time(lab, work):
    steps = {"rnn": 100, "pendulum": 500}[work]
    few, many = (lab.cold(job="build", work=work, size=n, check=True) for n in (steps, 4 * steps))
    assert max(many["from interpreter"], many["from eager"]) < AGREE
    assert before_numba(many) < noise() * LINEAR * 4 * before_numba(few)
    # numba reads the same lines of code for any number of steps.
    assert many["lines"] == pytest.approx(few["lines"], abs=10)


@pytest.mark.slow
@pytest.mark.parametrize("work", ["chain", "tree"])
def test_a_long_sum_compiles_in_linear_time(lab, work):
    few, many = (lab.cold(job="build", work=work, size=n, check=True) for n in (20_000, 200_000))
    assert max(many["from interpreter"], many["from eager"]) < AGREE
    assert compiling(many) < 10 * LINEAR * compiling(few)
