"""Runs the tests on a copy of the tree with a fault in it.

A worker has a copy of its own and imports once what takes long and is not under test: numba, sympy,
pytest. For each fault it writes the faulty file and forks; the child imports the package from the
copy, runs the tests, and is gone with all that the fault has done.
"""

import importlib
import multiprocessing.util
import os
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.mutants.belonging import belonging_tests
from tests.mutants.faults import Fault, digest_of

COPIED = ("gradcompile", "tests", "docs", "examples", "pyproject.toml", "README.md", "Makefile")
"""What tests read of the repository."""

IMPORTED = (
    "hypothesis", "llvmlite.binding", "mpmath", "numba", "numba.core.typed_passes",
    "numba.extending", "numpy", "pytest_benchmark.plugin", "rich.console", "sympy", "tqdm.auto",
    "xdist.plugin",
)  # fmt: skip
"""What a worker imports before it forks."""

OPTIONS = (
    "-x", "-q", "-n0", "-p", "no:cacheprovider", "--no-header", "--tb=no",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
)  # fmt: skip
"""How the tests are run; plugins that are imported already need no rewritten assertions."""

TIME_LIMIT = "time limit"
"""What kills a fault after which the tests do not come to an end."""

PASSED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)

SLOWER = 3.0
"""How many times longer than without a fault a file of tests may take."""

SPARE_SECONDS = 15.0
"""How long any may take besides."""


@dataclass(frozen=True)
class Outcome:
    """What the tests said of a fault.

    Attributes:
        key: of the fault.
        path: the file.
        line: the line.
        kind: what was changed.
        digest: of the file before.
        killed_by: the test that failed, "time limit" or the end of the process; "" if none did.
        seconds: how long it took.
        narrow: was the wider set left out?
    """

    key: str
    path: str
    line: int
    kind: str
    digest: str
    killed_by: str
    seconds: float
    narrow: bool

    def as_dict(self) -> dict[str, Any]:
        """Its fields by name."""
        return asdict(self)


class Worker:
    """A copy of the tree, and the runs of tests in it."""

    def __init__(self, root: Path, narrow: bool = False) -> None:
        self.narrow = narrow
        self.folder = Path(tempfile.mkdtemp(prefix="gradcompile-mutants-"))
        self.tree = self.folder / "tree"
        self.usual_seconds: dict[str, float] = {}
        self.faults_done = 0
        self.tree.mkdir()
        for name in COPIED:
            if (root / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "_build")
                shutil.copytree(root / name, self.tree / name, ignore=ignored)
            else:
                shutil.copy(root / name, self.tree / name)

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def outcome(self, fault: Fault) -> Outcome:
        """Put a fault in, run the tests that belong to the file until one fails, take it out.

        Raises:
            RuntimeError: the tests fail without the fault.
        """
        killed_by, seconds = "", 0.0
        for test in belonging_tests(fault.path, self.tree, self.narrow):
            limit = SLOWER * self._usual(test) + SPARE_SECONDS
            started = time.perf_counter()
            killed_by = self._run_faulty(fault, test, limit)
            seconds += time.perf_counter() - started
            if killed_by:
                break
        facts = (fault.key, fault.path, fault.line, fault.kind, fault.digest)
        return Outcome(*facts, killed_by, round(seconds, 2), self.narrow)

    def _usual(self, test: str) -> float:
        """How long a file of tests takes without a fault; all of them must pass."""
        if test not in self.usual_seconds:
            started = time.perf_counter()
            failed = self._run(test, limit=3600.0, keep_bytecode=True)
            if failed:
                raise RuntimeError(f"a test fails without a fault: {failed}")
            self.usual_seconds[test] = time.perf_counter() - started
        return self.usual_seconds[test]

    def _run_faulty(self, fault: Fault, test: str, limit: float) -> str:
        path = self.tree / fault.path
        source = path.read_text(encoding="utf-8")
        assert digest_of(source) == fault.digest, f"{fault.path} is not what it was"
        times = path.stat().st_atime, path.stat().st_mtime
        path.write_text(fault.applied(source), encoding="utf-8")
        # Python tells stale bytecode by size and whole seconds, and both may be what they were.
        self.faults_done += 1
        os.utime(path, (times[0], times[1] + 100.0 * self.faults_done))
        try:
            return self._run(test, limit, keep_bytecode=False)
        finally:
            path.write_text(source, encoding="utf-8")
            os.utime(path, times)

    def _run(self, test: str, limit: float, keep_bytecode: bool) -> str:
        """Run a file of tests in a child.

        Returns:
            The test that failed, or why there is no result; "" if all passed.
        """
        report = self.folder / "failed"
        report.write_text("", encoding="utf-8")
        child = os.fork()
        if child == 0:
            _become_pytest(self.folder, test, report, keep_bytecode)
        try:
            status = _waited(child, limit)
        finally:
            _end_group(child)
        for leftover in self.folder.glob("tmp/*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if status is None:
            return TIME_LIMIT
        if status in PASSED:
            return ""
        return report.read_text(encoding="utf-8") or f"exit code {status}"


def _waited(child: int, limit: float) -> int | None:
    """The exit code of a child; None if it was not done in time."""
    until = time.monotonic() + limit
    while time.monotonic() < until:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    return None


def _end_group(child: int) -> None:
    """End a child, and the processes that its tests have started."""
    try:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
    except (ProcessLookupError, ChildProcessError):
        pass  # it is gone already


class _FirstFailure:
    """A plugin of pytest that writes down which test failed first."""

    def __init__(self, report: Path) -> None:
        self.report = report

    def _write(self, name: str) -> None:
        if not self.report.read_text(encoding="utf-8"):
            self.report.write_text(name, encoding="utf-8")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._write(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report.nodeid)


def _become_pytest(folder: Path, test: str, report: Path, keep_bytecode: bool) -> None:
    """Run tests in this process, and end it."""
    code = 70
    try:
        os.setsid()
        output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        tree, temporary = folder / "tree", folder / "tmp"
        temporary.mkdir(exist_ok=True)
        os.chdir(tree)
        tempfile.tempdir = None
        os.environ.update(PYTHONPATH=str(tree), TMPDIR=str(temporary))
        sys.dont_write_bytecode = not keep_bytecode
        if not keep_bytecode:
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
        _forget_own_modules()
        sys.path.insert(0, str(tree))
        code = pytest.main([*OPTIONS, test], plugins=[_FirstFailure(report)])
    except BaseException as error:
        report.write_text(repr(error), encoding="utf-8")
    finally:
        os._exit(code)


def _forget_own_modules() -> None:
    """Forget what was imported from the repository: the copy's modules take its place."""
    for name in list(sys.modules):
        if name.split(".")[0] in ("gradcompile", "tests"):
            del sys.modules[name]


# --- in a process of its own -------------------------------------------------------------------


@cache
def _worker(narrow: bool) -> Worker:
    """The worker of this process, made when the first fault comes."""
    for name in IMPORTED:
        importlib.import_module(name)
    worker = Worker(Path(__file__).parents[2], narrow)
    # Not atexit, which a process of a pool leaves out.
    multiprocessing.util.Finalize(None, worker.close, exitpriority=10)
    return worker


def outcome(fault: Fault, narrow: bool = False) -> Outcome:
    """The outcome of a fault, by the worker of this process; `narrow` leaves the wider set out."""
    return _worker(narrow).outcome(fault)
