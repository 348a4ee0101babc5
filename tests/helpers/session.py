"""Bounds of a whole run of pytest: which tests may be skipped, and how much memory it may take.

The options are `--allowed-skips` and `--most-memory`; `tests/conftest.py` registers them.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def add_options(parser: pytest.Parser) -> None:
    """Add the options that set a bound."""
    parser.addoption(
        "--allowed-skips",
        type=Path,
        metavar="FILE",
        help="fail if a test is skipped for a reason that is no line of this file",
    )
    parser.addoption(
        "--most-memory",
        type=float,
        metavar="GB",
        help="fail if the process, or a worker, ever had more memory than that",
    )


def register_bounds(config: pytest.Config) -> None:
    """Register the bounds that the options set."""
    allowed, most_memory = map(config.getoption, ("--allowed-skips", "--most-memory"))
    config.pluginmanager.register(
        Bounds(None if allowed is None else reasons(allowed), most_memory)
    )


def reasons(path: Path) -> set[str]:
    """Read the reasons in a file: a line each, apart from empty lines and comments."""
    lines = map(str.strip, path.read_text(encoding="utf-8").splitlines())
    return {line for line in lines if line and not line.startswith("#")}


def peak_memory() -> float:
    """Return the most memory that this process ever had, in GB; 0 where nothing tells."""
    try:
        status = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024 / 1e9


class Bounds:
    """A plugin that fails a run which skips too much or grows too large.

    Args:
        allowed: the reasons for which a test may be skipped; None allows all.
        most_memory: in GB; None allows any.
    """

    def __init__(self, allowed: set[str] | None, most_memory: float | None) -> None:
        self.allowed = allowed
        self.most_memory = most_memory
        self.skipped: list[str] = []
        self.peaks: list[float] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Look at the outcome of a test."""
        self._look(report)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Look at the outcome of collecting a file, which may skip as a whole."""
        self._look(report)

    def _look(self, report: Any) -> None:
        if self.allowed is None or not report.skipped or hasattr(report, "wasxfail"):
            return
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if reason not in self.allowed:
            self.skipped.append(f"{report.nodeid}: {reason}")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from a worker of xdist, at its end, how large it was."""
        self.peaks.append(getattr(node, "workeroutput", {}).get("peak memory", 0.0))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Fail the run if a bound is exceeded."""
        self.peaks.append(peak_memory())
        if hasattr(session.config, "workeroutput"):  # the process that started it decides
            session.config.workeroutput["peak memory"] = self.peaks[-1]
        elif self.faults() and session.exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        return (yield)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which bound was exceeded."""
        if self.most_memory is not None:
            terminalreporter.write_line(f"memory: {max(self.peaks):.2f} GB at most")
        for fault in self.faults():
            terminalreporter.write_line(fault, red=True)

    def faults(self) -> list[str]:
        """Return a line for each bound that was exceeded."""
        lines = [f"skipped without leave: {each}" for each in self.skipped]
        largest = max(self.peaks, default=0.0)
        if self.most_memory is not None and largest > self.most_memory:
            lines.append(f"too much memory: {largest:.2f} GB, allowed are {self.most_memory} GB")
        return lines
