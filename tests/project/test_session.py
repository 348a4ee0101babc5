"""The bounds of a whole run: a skip without leave fails it, and so does a process too large."""

import os
import sys

import pytest

from tests.conftest import ROOT
from tests.helpers.session import Bounds, peak_memory, reasons

TESTS = """
import gc, pytest

@pytest.mark.skip(reason="this one may")
def test_one():
    pass

def test_two():
    pytest.importorskip("no_such_package")

@pytest.mark.xfail(reason="known")
def test_three():
    raise AssertionError

def test_four():
    if COLLECTOR:
        gc.disable()
"""

PLUGIN = """
from tests.conftest import pytest_runtest_teardown
from tests.helpers.session import add_options as pytest_addoption
from tests.helpers.session import register_bounds as pytest_configure
"""

MISSING = "could not import 'no_such_package': No module named 'no_such_package'"


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Run some tests with options, in this process; the exit status and what was printed."""

    def run(*options, collector=False):
        (tmp_path / "conftest.py").write_text(PLUGIN)
        (tmp_path / "test_some.py").write_text(f"COLLECTOR = {collector}\n{TESTS}")
        alone = ("-s", "-p", "no:cacheprovider", "-p", "no:faulthandler", "-p", "no:xdist")
        where = ("-c", os.devnull, "--import-mode=importlib", "--rootdir", str(tmp_path))
        for module in ("conftest", "test_some"):  # of the test before this one
            monkeypatch.delitem(sys.modules, module, raising=False)
        status = pytest.main(["-q", *alone, *where, *options, str(tmp_path)])
        return status, capsys.readouterr().out

    return run


def test_a_skip_without_leave_fails_the_run(run, tmp_path):
    allowed = tmp_path / "allowed.txt"
    allowed.write_text("# a comment\n\nthis one may\n")
    status, printed = run("--allowed-skips", str(allowed))
    assert status == 1
    assert printed.count("skipped without leave") == 1
    assert f"test_two: {MISSING}" in printed


def test_too_much_memory_fails_the_run(run):
    status, printed = run("--most-memory", "0.001")
    assert status == 1
    assert "too much memory" in printed


def test_a_run_within_its_bounds_passes(run, tmp_path):
    allowed = tmp_path / "allowed.txt"
    allowed.write_text(f"this one may\n{MISSING}\n")
    bounds = ("--allowed-skips", str(allowed), "--most-memory", "64")
    assert run(*bounds)[0] == 0


def test_a_test_that_leaves_the_collector_off_fails(run):
    status, printed = run(collector=True)
    assert status == 1
    assert "has left the garbage collector off" in printed


def test_workers_tell_how_large_they_were():
    class Node:
        workeroutput = {"peak memory": 3.0}  # noqa: RUF012

    bounds = Bounds(None, 2.0)
    bounds.pytest_testnodedown(Node())
    assert bounds.faults() == ["too much memory: 3.00 GB, allowed are 2.0 GB"]
    assert 0.01 < peak_memory() < 8.0


def test_the_reasons_that_are_allowed_are_read():
    assert "the processor has no AVX2" in reasons(ROOT / "tests" / "allowed-skips.txt")
