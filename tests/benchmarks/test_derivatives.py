"""What `derivatives.py` measures: the works beside published numbers and beside peers, the page."""

from types import SimpleNamespace

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.autodiff.jacobian import jacobian
from gradcompile.graph.lower import lower
from gradcompile.ir.interpret import interpret
from tests.benchmarks import derivative_works as works
from tests.benchmarks.contest import AGREE
from tests.benchmarks.derivative_sides import CASADI, GRADIENT, JAX, OURS, SIDES, sides
from tests.benchmarks.derivatives import RACES, figures, markdown
from tests.benchmarks.process import difference
from tests.benchmarks.rows import position

NUMPY = SimpleNamespace(
    sqrt=np.sqrt, cos=np.cos, sin=np.sin, exp=np.exp, where=np.where, atan2=np.arctan2
)

# --- bundle adjustment: `ba_test.txt` of ADBench, with its published results ---------------------

TEST = (
    (1.797201, 0.590697, -0.635786, 90.859550, 29.361415, 28.777534, 211.628116, -0.284531,
     -14.762924, 0.058931, 0.069976),
    (4.173048, 5.586898, 1.403869), 0.417022, (-525.672849, 161.811929),
)  # fmt: skip
RESIDUALS = -0.26904884923518940, 0.25994479267790188, 0.82609265151599998
BY_CAMERA = (
    228.87720220824676, 634.57481149554542, -782.22286625934055, 2.4289261560715967,
    -11.782807962801131, 2.5416931248774346, -1.0365708495851809, 0.417022, 0.0,
    -350.73952109600521, -912.10777366800858,
)  # fmt: skip
BY_POINT = -2.4289261560715967, 11.782807962801131, -2.5416931248774346
BY_WEIGHT = -0.64516703971298739


def test_the_numbers_of_ba_are_those_that_were_published():
    numbers = [x for part in TEST for x in (part if isinstance(part, tuple) else (part,))]
    names = [f"x{k}" for k in range(len(numbers))]
    x = [Value(number, name) for number, name in zip(numbers, names, strict=True)]
    outputs = works.residuals(gdc, x[:11], x[11:14], x[14], x[15:])
    program = lower(outputs, x, names, "residuals").program
    found = interpret(jacobian(program, range(15), keep_value=True), numbers)
    assert found[:3] == pytest.approx(RESIDUALS, rel=1e-8)
    assert found[3:17] == pytest.approx((*BY_CAMERA, *BY_POINT), rel=1e-8)
    assert found[17] == pytest.approx(BY_WEIGHT, rel=1e-8)


# --- the arm -------------------------------------------------------------------------------------


def test_the_torques_do_the_work_of_the_arm():
    """What the joints do is what the energy of motion and of height gains."""
    q, speed = works.JOINTS["q"], works.JOINTS["speed"]
    still = np.zeros(7)
    weight = np.array(works.torques(NUMPY, q, still, still))
    mass = np.array([np.array(works.torques(NUMPY, q, still, row)) - weight for row in np.eye(7)])
    np.testing.assert_allclose(mass, mass.T, rtol=1e-12, atol=1e-12)
    assert np.linalg.eigvalsh(mass).min() > 0.0

    def motion(t):
        """Twice the energy of motion, a little later on the way with constant speed."""
        at = q + t * speed
        resting = np.array(works.torques(NUMPY, at, still, still))
        return speed @ (np.array(works.torques(NUMPY, at, still, speed)) - resting)

    swung = np.array(works.torques(NUMPY, q, speed, still)) - weight
    slope = (motion(1e-5) - motion(-1e-5)) / 2e-5
    assert speed @ swung == pytest.approx(slope / 2.0, rel=1e-6)


def test_the_hand_is_where_the_links_lead():
    found = works.pose(NUMPY, works.JOINTS["q"])
    assert found[:3] == pytest.approx(position(works.JOINTS["q"], np.cos, np.sin), rel=1e-12)


# --- the page ------------------------------------------------------------------------------------

FOUND = {
    "ready": {OURS: 2.0, CASADI: 1.0},
    "seconds": {OURS: 1e-6, CASADI: 2e-6},
    "ratios": {OURS: 1.0, CASADI: 0.5},
    "lines": [40, 70],
    "failed": {JAX: "TypeError: no"},
    "larger": {"size": 5_000, "ready": {OURS: 9.0}, "lines": [40, 71], "peak": 1e9},
}


def test_bars_are_about_calls_being_ready_and_texts():
    verdicts = {one.says: one.verdict for one in figures("luksan-vlcek", FOUND)}
    assert verdicts == {
        "ready: gradcompile / CasADi, C": "missed",
        "lines of the longest text": "met",
        "more lines at 5,000": "missed",
        "ready at 5,000": "",
        "peak memory at 5,000": "",
    }


def test_the_page_has_a_line_for_each_side():
    page = markdown({"luksan-vlcek": FOUND, "pollu": {"error": "no"}}, ["what was run"])
    assert "| CasADi, C | 1 s | 2 µs | 0.50 |" in page.splitlines()
    assert "jax.jit is left out: TypeError: no" in page
    assert "Not measured: no" in page


# --- with peers ----------------------------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SIDES if name != "arm-dynamics"])
@pytest.mark.filterwarnings("ignore")  # of peers, which are not ours to judge
def test_all_sides_compute_the_same(name):
    for module in ("jax", "casadi"):
        pytest.importorskip(module)
    made = {side: maker() for side, maker in sides(name, RACES[name].small or 1).items()}
    found = {side: ready.numbers(ready.step()) for side, ready in made.items()}
    for side in made.keys() - {OURS, GRADIENT}:
        assert difference(found[side], found[OURS]) < AGREE, side
