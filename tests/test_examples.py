"""Every example that needs no extra package runs as it is."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CORE = {"gradcompile", "graphviz", "numba", "numpy", "rich", "sympy", *sys.stdlib_module_names}


def imported(path):
    """The packages that a script imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(aliases):
                yield from (alias.name.split(".")[0] for alias in aliases)
            case ast.ImportFrom(str(module)):
                yield module.split(".")[0]


EXAMPLES = [path for path in sorted(ROOT.glob("examples/*.py")) if set(imported(path)) <= CORE]

SAYS = {
    "lecture_mlp.py": [
        "41 parameters",
        "   0  3.140717868421  3.140717868421",
        "4 of 4 signs are right",
        "times faster",
    ],
    "neuron.py": [
        "eager     0.7071067811865",
        "n_bar = 1.0 - o * o",
        "d/db: proved",
        "loss 0.0307",
    ],
}
"""What an example prints, among other things."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_example(example, tmp_path):
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-W", "error", example],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    for text in SAYS.get(example.name, []):
        assert text in done.stdout
