"""Runs the tests on a copy of the tree with a fault in it.

A worker has a copy of its own and imports once what takes long and is not under test: numba, sympy,
pytest. For each fault it writes the faulty file and forks; the child imports the package from the
copy, runs the tests, and is gone with all that the fault has done.

Limits count the processor's time of a single test, not the clock's, so that a busy machine kills
no fault. What has killed faults must pass without them: `without_faults` runs it again.
"""

import compileall
import contextlib
import importlib
import json
import math
import multiprocessing.util
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
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
    "-q", "-n0", "-p", "no:cacheprovider", "--no-header", "--tb=no", "--assert=plain",
    "-W", "ignore::pytest.PytestAssertRewriteWarning",
)  # fmt: skip
"""How the tests are run; whoever reads only which test failed needs no rewritten assertions."""

TIME_LIMIT = "time limit"
"""What kills a fault after which the tests do not come to an end."""

OUT_OF_TIME = "out of time"
"""What is said of tests that were stopped before one has failed: the fault survives them."""

UNKNOWN_NAME = f"exit code {pytest.ExitCode.USAGE_ERROR:d}"
"""What is said of a test that is not there; a fault may show in the name of a test."""

PASSED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)

MAX_CPU_SECONDS = 60.0
"""How much of the processor's time a single test may take; without faults, a third is enough."""

MAX_SECONDS = 1200.0
"""How long all tests of a stage may take, for a fault after which processes wait for each other."""

MAX_BYTES = 8 << 30
"""How much address space a child may have, for a fault after which a list grows for ever."""

MAX_QUICK_SECONDS = 2.0
"""How long a test may have taken that still comes before those of the files that follow."""


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
        narrow: were tests left out, for a first look or by a limit?
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


def killers_of(outcomes: Iterable[Outcome]) -> list[str]:
    """List the tests that have killed a fault, each once."""
    return list(dict.fromkeys(x.killed_by for x in outcomes if ".py" in x.killed_by))


class Worker:
    """A copy of the tree, and the runs of tests in it."""

    def __init__(self, root: Path, limit: float = math.inf) -> None:
        self.limit = limit
        self.folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        self.tree = self.folder / "tree"
        self.faults_done = 0
        self.tree.mkdir()
        for name in COPIED:
            if (root / name).is_dir():
                ignored = shutil.ignore_patterns("__pycache__", "_build")
                shutil.copytree(root / name, self.tree / name, ignore=ignored)
            else:
                shutil.copy(root / name, self.tree / name)
        # Once here, and not in every child; golden texts are not imported, but counted.
        for name in ("gradcompile", "tests"):
            compileall.compile_dir(self.tree / name, quiet=2, rx=re.compile("golden"))

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def outcome(self, fault: Fault, narrow: bool) -> Outcome:
        """Put a fault in, run the tests that belong to the file until one fails, take it out."""
        killed_by, started = "", time.perf_counter()
        with self._faulty(fault):
            for rank, tests in enumerate(belonging_tests(fault.path, self.tree, narrow)):
                killed_by = self.first_failed(tests, self.limit if rank else math.inf)
                if killed_by:
                    break
        if killed_by == OUT_OF_TIME:
            killed_by, narrow = "", True
        seconds = round(time.perf_counter() - started, 2)
        facts = (fault.key, fault.path, fault.line, fault.kind, fault.digest)
        return Outcome(*facts, killed_by, seconds, narrow)

    @contextlib.contextmanager
    def _faulty(self, fault: Fault) -> Iterator[None]:
        path = self.tree / fault.path
        source = path.read_text(encoding="utf-8")
        assert digest_of(source) == fault.digest, f"{fault.path} is not what it was"
        times = path.stat().st_atime, path.stat().st_mtime
        path.write_text(fault.applied(source), encoding="utf-8")
        # Python tells stale bytecode by size and whole seconds, and both may be what they were.
        self.faults_done += 1
        os.utime(path, (times[0], times[1] + 100.0 * self.faults_done))
        try:
            yield
        finally:
            path.write_text(source, encoding="utf-8")
            os.utime(path, times)

    def first_failed(self, tests: Sequence[str], limit: float = math.inf) -> str:
        """Run tests in a child until one fails.

        Returns:
            The test that failed, or why there is no result; "" if all passed.
        """
        report = self.folder / "failed"
        report.write_text("", encoding="utf-8")
        child = os.fork()
        if child == 0:
            _become_pytest(self.folder, tests, report, limit)
        try:
            status = _waited(child, MAX_SECONDS)
        finally:
            _end_group(child)
        for leftover in self.folder.glob("tmp/*"):
            shutil.rmtree(leftover, ignore_errors=True)
        if status in (None, -signal.SIGPROF):
            return TIME_LIMIT
        if status in PASSED:
            return ""
        if status == pytest.ExitCode.INTERRUPTED:
            return OUT_OF_TIME
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
    """A plugin of pytest that limits each test, and writes down which one failed first.

    It also notes how long tests take, so that the quick ones come first when they are run again.
    """

    def __init__(self, report: Path, notes: Path, limit: float) -> None:
        self.report = report
        self.notes = notes
        self.limit = limit

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        lines = self.notes.read_text(encoding="utf-8").splitlines() if self.notes.exists() else []
        seconds = dict(map(json.loads, lines))
        files = {item.path: rank for rank, item in reversed(list(enumerate(items)))}

        def rank(item: pytest.Item) -> tuple[bool, int, float]:
            usual = seconds.get(item.nodeid, 0.0)
            return usual > MAX_QUICK_SECONDS, files[item.path], usual

        items.sort(key=rank)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        signal.setitimer(signal.ITIMER_PROF, MAX_CPU_SECONDS)
        if report.failed:
            self._write(report.nodeid)
        elif report.duration > MAX_QUICK_SECONDS:
            with self.notes.open("a", encoding="utf-8") as file:
                print(json.dumps([report.nodeid, report.duration]), file=file)

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        if time.process_time() > self.limit and not self.report.read_text(encoding="utf-8"):
            raise KeyboardInterrupt(f"{nodeid} is the last one in time")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._write(report.nodeid)

    def _write(self, name: str) -> None:
        if not self.report.read_text(encoding="utf-8"):
            self.report.write_text(name, encoding="utf-8")


def _become_pytest(folder: Path, tests: Sequence[str], report: Path, limit: float) -> None:
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
        os.environ.update(PYTHONPATH=str(tree), TMPDIR=str(temporary), PYTHONDONTWRITEBYTECODE="1")
        sys.dont_write_bytecode = True
        _forget_own_modules()
        sys.path.insert(0, str(tree))
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
        signal.setitimer(signal.ITIMER_PROF, MAX_CPU_SECONDS)  # its signal ends the process
        plugin = _FirstFailure(report, folder / "seconds", limit)
        code = pytest.main([*OPTIONS, "-x", *tests], plugins=[plugin])
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
def _worker(limit: float) -> Worker:
    """The worker of this process, made when the first fault comes."""
    for name in IMPORTED:
        importlib.import_module(name)
    worker = Worker(Path(__file__).parents[2], limit)
    # Not atexit, which a process of a pool leaves out.
    multiprocessing.util.Finalize(None, worker.close, exitpriority=10)
    return worker


def outcome(fault: Fault, narrow: bool, limit: float) -> Outcome:
    """The outcome of a fault, by the worker of this process.

    Args:
        fault: what is put in.
        narrow: run the first stage alone.
        limit: stop after the test in which a stage's tests, but those of the first, have taken so
            many seconds of the processor's time; the fault has survived.
    """
    return _worker(limit).outcome(fault, narrow)


def without_faults(killers: Sequence[str]) -> str:
    """Run what has killed faults on the tree as it is.

    Returns:
        The first that fails; "" if all pass.
    """
    failed = _worker(math.inf).first_failed(killers)
    if failed == UNKNOWN_NAME:
        failed = _worker(math.inf).first_failed([name.split("[")[0] for name in killers])
    return failed
