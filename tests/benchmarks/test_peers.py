"""What `peers.py` measures: that all sides compute the same, the page, and its plot."""

import gc
import json

import numpy as np
import pytest

from tests.benchmarks import peers
from tests.benchmarks.contest import AGREE, race
from tests.benchmarks.peers import BARS, Results, fastest, judged, markdown, missed_by, save
from tests.benchmarks.process import difference
from tests.benchmarks.rolling import Figure
from tests.benchmarks.rows import DISPATCHER, FLAT, PANDA, WORKS, make, position
from tests.benchmarks.sides import numbers, sides
from tests.benchmarks.timing import collector_off

RACE = {
    "title": "two moons, ReLU, 100 rows",
    "rows": 100,
    "first": {"jax.jit": 0.5, "jax.jit, one flat array": 0.4},
    "failed": {"torch": "RuntimeError: no"},
    "differences": {},
    "seconds": {FLAT: 1e-5, "jax.jit": 1e-4, "jax.jit, one flat array": 5e-5, "peak": 1e-4},
    "ratios": {FLAT: 1.0, "jax.jit": 0.1, "jax.jit, one flat array": 0.2, "peak": 0.1},
    "fractions": {"peak": 0.25},
}
RESULTS = Results(
    races={"moons-relu-100": RACE},
    builds={
        "moons-relu-100": (
            {"seconds": 4.0, "computed": 4.0, "busy": False},
            {"seconds": 1.5, "computed": 0.5, "busy": False},
        )
    },
)


# --- the works -----------------------------------------------------------------------------------


def test_multiply_adds_are_counted():
    # 304 products of weights forwards and in the gradient, 272 that are handed back.
    assert WORKS["moons-relu-100"]().fmas == 100 * (304 + 304 + 272)


def test_the_arm_is_as_long_as_its_links():
    reach = sum(np.hypot(length, offset) for length, offset, _ in PANDA) + 0.2
    found = position([0.3, -0.5, 0.2, -1.8, 0.4, 1.6, 0.7], np.cos, np.sin)
    assert 0.1 < np.linalg.norm(found) < reach


def test_every_bar_is_about_a_work():
    assert {bar.work for bar in BARS} <= set(WORKS)


# --- the page ------------------------------------------------------------------------------------


def test_of_two_ways_the_faster_one_counts():
    assert fastest(RACE, "jax.jit") == "jax.jit, one flat array"
    assert fastest(RACE, "torch") is None


def test_bars_that_are_missed_tell_by_how_much():
    assert missed_by(Figure("ratio", 0.2, "×", 0.1)) == "missed, 2 times the bar"
    assert missed_by(Figure("ratio", 0.1, "×", 0.2)) == "met"
    figures = [figure for _, figure in judged(RESULTS)]
    assert [figure.verdict for figure in figures] == ["missed", "met", "missed"]


def test_the_page_has_a_line_for_each_side():
    page = markdown(RESULTS, ["what was run"])
    assert "| jax.jit | 500 ms | 100 µs | 0.1 |" in page.splitlines()
    assert "torch is left out: RuntimeError: no" in page
    assert "1 bars are met, 2 are missed." in page


def test_the_figures_are_saved_and_read_again(tmp_path):
    save(tmp_path / "found.json", RESULTS, ["what was run"])
    found, lines = peers.load(tmp_path / "found.json")
    assert json.dumps(vars(found)) == json.dumps(vars(RESULTS))
    assert lines == ["what was run"]


@pytest.mark.peers
def test_the_page_has_a_plot(tmp_path):
    pytest.importorskip("matplotlib")
    save(tmp_path / "found.md", RESULTS, ["what was run"])
    assert "{image} found.svg" in (tmp_path / "found.md").read_text()
    assert "<svg" in (tmp_path / "found.svg").read_text()


# --- what is measured ----------------------------------------------------------------------------


def test_one_thread_beside_two_is_measured_in_one_process():
    two = {**RACE, "seconds": {FLAT: 6.0, DISPATCHER: 10.0, "jax.jit": 20.0}}
    two["ratios"] = {FLAT: 1.0, "jax.jit": 0.3}
    one = {**RACE, "seconds": {FLAT: 99.0}}
    results = Results(races={"moons-relu-10000": one}, doubles={"moons-relu-10000": two})
    values = {f.says: f.value for _, f in judged(results) if "two cores" in f.says}
    assert values == {
        "gradcompile / jax.jit with two cores": 0.5,
        "gradcompile with two cores / jax.jit with two cores": 0.3,
    }


def test_a_wrong_number_among_larger_ones_is_a_difference():
    right = np.array([1000.0, 1.0])
    assert difference([right * (1 + 1e-13)], [right]) < 2e-13
    assert difference([right + np.array([0.0, 1e-3])], [right]) == pytest.approx(1e-3, rel=1e-6)
    assert difference([[1000.0, 1e-9]], [[1000.0, 0.0]]) == pytest.approx(1e-9)


def test_a_race_leaves_the_collector_as_it_was():
    with collector_off():
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0


# --- with peers ----------------------------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize("name", ["neuron", "moons-tanh-100", "black-scholes", "logistic"])
@pytest.mark.filterwarnings("ignore")  # of peers, which are not ours to judge
def test_all_sides_compute_the_same(name):
    for module in ("jax", "torch", "casadi"):
        pytest.importorskip(module)
    work = make(name, quick=True)
    expected = numbers(work.ours(work.arrays)[FLAT]())
    makers = {side: maker for side, maker in sides(work).items() if side != "torch.compile"}
    assert {"jax.jit", "torch", "CasADi", "numba"} <= set(makers)
    for side, maker in makers.items():
        assert difference(numbers(maker()()), expected) < AGREE, side


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_race_measures_everybody():
    found = race("moons-relu-1", quick=True, only=["numpy", "numba"], seconds=0.2, limits=True)
    assert {FLAT, "numpy", "numba", "peak"} <= set(found["ratios"])
    assert all(seconds > 0 for seconds in found["seconds"].values())
    assert 0 < found["fractions"]["peak"] < 1
