"""What the tests share: a cache of their own, new processes, and every engine on one input."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gradcompile.ir.interpret import interpret
from tests.helpers import session
from tests.helpers.flat import flat, python_of

ROOT = Path(__file__).parent.parent
VARIABLE = "GRADCOMPILE_CACHE_DIR"

_folders: list[str] = []

collect_ignore_glob = ["golden/*"]  # emitted code, which is compared, not collected


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite golden files and cases",
    )
    session.add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    session.register_bounds(config)
    # Before anything is collected, so that the package's doctests leave the user's cache alone
    # too. Each worker of xdist has a cache of its own.
    _folders.append(tempfile.mkdtemp(prefix="gradcompile-tests-"))
    os.environ[VARIABLE] = _folders[-1]


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[Any]:
    # What is collected stays until the end: the garbage collector need not look at it, now or
    # during the tests, which compilers fill with small objects that live for long.
    gc.disable()
    try:
        result = yield
    finally:
        gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
    return result


def pytest_unconfigure() -> None:
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    # A test that leaves the garbage collector off lets all that follow grow without bound.
    yield
    if not gc.isenabled():
        gc.enable()
        pytest.fail("the test has left the garbage collector off")


def run_engines(function: Any, at: Sequence[float]) -> dict[str, tuple[float, list[float]]]:
    """(value, gradient) of a compiled function for flat inputs, from every compiled engine.

    Called after the function's first call; both results are plain Python floats.
    """
    kernel = function.value_and_grad
    inputs = np.array(at, dtype=np.float64)
    found = {
        "interpreter": flat(interpret(kernel.program, inputs.tolist())),
        "emitted Python": flat(python_of(kernel)(inputs)),
        "machine code": flat(kernel.dispatcher(inputs)),
    }
    return {engine: (results[0], results[1:]) for engine, results in found.items()}


@pytest.fixture(scope="session")
def every_engine() -> Callable[..., dict[str, tuple[float, list[float]]]]:
    return run_engines


@pytest.fixture
def new_process() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    """Starts `python -P -c code` with this checkout on its path; `env` adds to the environment."""
    started: list[subprocess.Popen[str]] = []

    def start(code: str, **env: str) -> "subprocess.Popen[str]":
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", code],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path, **env},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        with process:
            process.kill()


@pytest.fixture
def run_python(new_process: Callable[..., "subprocess.Popen[str]"]) -> Callable[..., str]:
    """Runs `python -c code` to its end and gives what it printed; fails if it did."""

    def run(code: str, **env: str) -> str:
        process = new_process(code, **env)
        printed, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return printed

    return run
