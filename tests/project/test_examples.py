"""Every example runs as it is, if what it imports is installed."""

import ast
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def imported(path):
    """The packages that a script imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(aliases):
                yield from (alias.name.split(".")[0] for alias in aliases)
            case ast.ImportFrom(str(module)):
                yield module.split(".")[0]


SLOW = {
    "lecture_mlp.py", "lotka_volterra.py", "moons_in_machine_code.py", "neuron.py",
    "poisson_regression.py", "robot_arm.py", "sabr_smile.py",
}  # fmt: skip
"""Examples that compile for long."""

BY_INTERIOR_POINTS = {"hanging_chain.py", "luksan_vlcek.py"}
"""Examples that need one of two solvers, whichever is there."""


def case(path):
    """The example, among the tests with peers if it needs what the tests alone do not install."""
    needs = {*imported(path), *(["matplotlib"] if plots(path) else [])}
    is_peer = needs & {"matplotlib", "sklearn"} or path.name in BY_INTERIOR_POINTS
    marks = [pytest.mark.peers] if is_peer else []
    marks += [pytest.mark.slow] if path.name in SLOW else []
    return pytest.param(path, marks=marks, id=path.name)


def plots(path):
    return "gradcompile.demos.plot" in path.read_text(encoding="utf-8")


EXAMPLES = [case(path) for path in sorted(ROOT.glob("examples/*.py"))]

SAYS = {
    "breast_cancer.py": [
        "426 rows to train with, 143 to test",
        "gradcompile   99.06%   95.80%",
        "scikit-learn  99.06%   95.80%",
    ],
    "hanging_chain.py": [
        "the lowest mass is at -1.0046, the energy -0.620372",
        "a catenary hangs down to -1.0053",
        "398 derivatives verified, 0 refuted",
    ],
    "lecture_mlp.py": [
        "41 parameters",
        "   0  3.140717868421  3.140717868421",
        "4 of 4 signs are right",
        "times faster",
    ],
    "lotka_volterra.py": [
        "hares: born 0.540 a year, eaten 0.0272 by a lynx; 34.6 at the beginning",
        "lynxes: starved 0.796 a year, fed 0.0237 by a hare; 5.8",
        "12 of 12 derivatives of the growth are proved",
    ],
    "luksan_vlcek.py": [
        "200 variables, 198 constraints",
        "Hessian: 399 numbers by a text of",
        "objective 6.23245863, constraints to",
    ],
    "moons.py": [
        "step 0: loss 0.8958441028683 by Values",
        "step 1: loss 1.7235905336972 by Values",
        "step  0: loss 0.8958441028683 compiled, accuracy 50%",
        "step  1: loss 1.7235905336972 compiled, accuracy 81%",
        "step 40: loss 0.06016",
        "step 99: loss 0.0109783701",
        "accuracy 100%",
        "picture  moons.png",
    ],
    "moons_in_machine_code.py": [
        "step  0: loss 0.8958441028683",
        "step  1: loss 1.7235905336972",
        "accuracy 100%",
        "the loop in Python comes to the same",
        "100 steps: ",
    ],
    "neuron.py": [
        "eager     0.7071067811865",
        "n_bar = 1.0 - o * o",
        "d/db: proved",
        "loss 0.0307",
    ],
    "poisson_regression.py": [
        "step 3: loss -274.737759907",
        "intercept      3.0445  0.1709    3.0445  0.1709",
        "outcome 2     -0.4543  0.2022   -0.4543  0.2022",
        "25 of 25 entries of the Hessian of a count are proved",
    ],
    "robot_arm.py": [
        "a Jacobian of 6 × 7, of rank 6",
    ],
    "sabr_smile.py": [
        "alpha 0.0463, rho -0.220, nu 0.536",
        "with differences for the Jacobian the same is found",
    ],
}
"""What an example prints, among other things."""


@pytest.mark.parametrize("example", EXAMPLES)
def test_example(example, tmp_path):
    if missing := {name for name in imported(example) if find_spec(name) is None}:
        pytest.skip(f"needs {', '.join(sorted(missing))}")
    if plots(example):
        pytest.importorskip("matplotlib")
    if example.name in BY_INTERIOR_POINTS and not any(map(find_spec, ("cyipopt", "pounce"))):
        pytest.skip("neither cyipopt nor pounce is installed")
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", example],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path, "TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for text in SAYS.get(example.name, []):
        assert text in done.stdout
