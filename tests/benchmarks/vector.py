"""Vector math: time for an element, beside the C library and numpy; errors; what compiling costs.

Run by `python -m tests.benchmarks.vector`. All three are measured by turns in one process, over an
array that fits in the cache of a core. Compile times are the seconds of a core, each in a process
of its own, less those of the same loop without the function.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from gradcompile import vector
from gradcompile.support import files
from tests.benchmarks.timing import calls_in, medians

ROOT = Path(__file__).parent.parent.parent
SIZE = 4096
SPAN = 0.0005
"""Seconds of calls in a row: short beside the time slices that others get."""

LOOP = """
from gradcompile.{module} import {imports}


def f(inputs):
    for i in range({size}):
        inputs[{results} + i] = {expression}
    return inputs[{results}]
"""
"""As emitted code has it: the results go to another part of the array."""

LIBRARY = {"sigmoid": "1.0 / (1.0 + exp(-{x}))", "pow": "{x} ** {y}"}
"""How a function of the C library is written, where it is not called by its name."""

NUMPY: dict[str, Callable[..., Any]] = {
    "sigmoid": lambda x, y, out: np.divide(1.0, np.exp(-x) + 1.0, out=out),
    "softplus": lambda x, y, out: np.logaddexp(0.0, x, out=out),
    "pow": np.power,
}
"""How numpy writes what it has no function of one operand for."""


def text(name: str, library: bool = False, start: int = 0) -> str:
    """The loop over a function; one with another start has its machine code compiled anew."""
    x, y = f"inputs[{start} + i]" if start else "inputs[i]", f"inputs[{SIZE} + i]"
    call = f"{name}({x}, {y})" if name == "pow" else f"{name}({x})"
    expression = LIBRARY.get(name, call).format(x=x, y=y) if library else call
    imports = {"sigmoid": "exp", "pow": "exp"}.get(name, name) if library else name
    return LOOP.format(
        module="ieee" if library else "vector",
        imports=imports,
        size=SIZE,
        results=2 * SIZE,
        expression=expression,
    )


def compiled(source: str, use_cache: bool = False) -> Any:
    """Machine code of a loop, with the flags of rolled code."""
    from gradcompile.jit import jit

    return jit(files.load(source, "f", use_cache).f, loops=True, use_cache=use_cache)


def inputs(name: str) -> np.ndarray:
    """Ordinary numbers."""
    flat = np.random.default_rng(0).normal(size=3 * SIZE) * 3.0
    if name in ("log", "log1p", "sqrt", "pow"):
        flat[:SIZE] = np.abs(flat[:SIZE])
    return flat


def nanoseconds(name: str) -> dict[str, float]:
    """Time for an element by vector math, by the C library, by numpy."""
    flat = inputs(name)
    x, y, out = flat.reshape(3, SIZE)
    runs: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
        "vector": (compiled(text(name)), (flat,)),
        "library": (compiled(text(name, library=True)), (flat,)),
    }
    if name in NUMPY:
        runs["numpy"] = (NUMPY[name], (x, y, out))
    elif hasattr(np, name):
        runs["numpy"] = (getattr(np, name), (x, out))
    with np.errstate(all="ignore"):
        found = medians({k: (f, a, calls_in(f, a, SPAN)) for k, (f, a) in runs.items()}, 5, 21)
    return {k: seconds / SIZE * 1e9 for k, seconds in found.items()}


# --- what compiling costs ------------------------------------------------------------------------


def compile_times(names: list[str]) -> dict[str, float]:
    """Seconds of a core for each, in this process, after a loop without any function."""
    found = {}
    for number, name in enumerate(["", "", *names]):
        source = text(name or "exp", start=1 + number % 2)
        if not name:
            source = source.replace("exp(", "(").replace("import exp", "import where")
        start = time.process_time()
        compiled(source, use_cache=True)
        found[name] = time.process_time() - start
    return {name: found[name] - found[""] for name in names}


def in_processes(name: str) -> tuple[float, float]:
    """The first kernel with a function, on a new machine and where others have used it."""
    first, later = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            first.append(_process(name, folder))
            for path in Path(folder).glob("f_*"):
                path.unlink()
            later.append(_process(name, folder))
    return median(first), median(later)


def _process(name: str, folder: str) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.vector", "--compile", name]
    environment = {**os.environ, files.VARIABLE: folder}
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    ).stdout
    return float(json.loads(printed)[name])


# --- the table -----------------------------------------------------------------------------------


def lines(names: list[str], points: int) -> Iterator[str]:
    """The table, a line as soon as it is known."""
    from tests.test_vector import worst

    versions = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba"))
    yield f"{platform.machine()}, {' '.join(platform.libc_ver())}, {versions}"
    yield ""
    yield (
        "| function | worst error, ulp | ns, vector | ns, C library | ns, numpy "
        "| compiling it, ms | loading it, ms |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|"
    for name in names:
        error, _ = worst(name, points)
        found = nanoseconds(name)
        first, later = in_processes(name)
        times = [f"{found[k]:.2f}" if k in found else "–" for k in ("vector", "library", "numpy")]
        row = [f"`{name}`", f"{error:.2f}", *times, f"{first * 1e3:.0f}", f"{later * 1e3:.0f}"]
        yield f"| {' | '.join(row)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=vector.FUNCTIONS, help="one function")
    parser.add_argument("--points", type=int, default=5000, help="for the errors, of each kind")
    parser.add_argument("--compile", choices=vector.FUNCTIONS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compile:
        print(json.dumps(compile_times([options.compile])))
        return
    for line in lines(options.only or list(vector.FUNCTIONS), options.points):
        print(line, flush=True)


if __name__ == "__main__":
    main()
