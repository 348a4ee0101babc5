"""What `calls.py` measures: that its calls compute the same, its bars, and the page."""

import pytest

from tests.benchmarks import calls
from tests.benchmarks.calls import RACES, Bar, Race, Results, Times, figure, judged, markdown, run

SECONDS = {"ours": [1e-6, 2e-6, 3e-6], "theirs": [0.5e-6, 1e-6, 6e-6]}


def test_bars_are_about_ratios_differences_and_times():
    cases = [
        (Bar("ours", "theirs", 2.0), 2.0, "met"),
        (Bar("ours", "theirs", 1.9), 2.0, "missed"),
        (Bar("ours", "theirs", 0.6, at_least=True), 0.5, "missed"),
        (Bar("ours", "theirs", 0.4e-6, above=True), 0.5e-6, "missed"),
        (Bar("theirs", "ours", 0.0, above=True), 0.0, "met"),
        (Bar("ours", None, 2e-6), 2e-6, "met"),
    ]
    for bar, value, verdict in cases:
        found = figure(bar, SECONDS)
        assert found.value == pytest.approx(value), bar
        assert found.verdict == verdict, bar


def test_peers_that_are_not_there_are_not_judged():
    bars = Bar("ours", "theirs", 3.0), Bar("ours", "absent", 1.0)
    results = Results([Times("work", SECONDS, bars)], {"seconds": 1.0, "busy": False}, lines=17)
    assert [one.verdict for _, one in judged(results)] == ["met", "", "missed"]
    page = markdown(results, ["what was run"])
    assert "| work | ours / theirs | 2 × | ≤ 3 × | met |" in page.splitlines()
    assert "| ours | 2 µs |" in page.splitlines()
    assert "1 bars are met, 1 are missed." in page


def test_calls_that_disagree_are_not_measured():
    race = Race("work", lambda: {"a": (float, (1.0,)), "b": (float, (1.1,))}, ())
    with pytest.raises(calls.DisagreeError, match="work: b computes other numbers"):
        run(race, turns=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["neuron", "arrays", "lecture"])
def test_every_bar_is_about_a_call_that_is_measured(name):
    times = run(RACES[name], turns=3)
    assert {bar.ours for bar in times.bars} <= set(times.seconds)
    assert all(len(taken) == 3 and min(taken) > 0 for taken in times.seconds.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["containers", "moons-1", "moons-100"])
@pytest.mark.filterwarnings("ignore")  # of peers, which are not ours to judge
def test_all_calls_compute_the_same(name):
    times = run(RACES[name], turns=1)
    assert {bar.ours for bar in times.bars} <= set(times.seconds)
