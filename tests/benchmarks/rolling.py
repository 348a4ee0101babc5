"""What rolling achieves: every figure beside its bar, and peers in the same run.

Run by `python -m tests.benchmarks.rolling`. Each measurement is a process of its own that starts
with an empty cache, unless it says that the cache is full. Times are medians; those that are
compared are measured by turns in one process.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
COMMAND = "python -m tests.benchmarks.rolling"
LIMIT = 1800
"""Seconds after which a measurement is given up."""

AGREE = 1e-12
LINEAR = 1.3
"""How many times the time of one operation may grow with the size."""

Found = dict[str, Any]


@dataclass(frozen=True)
class Figure:
    """A number, and the bar that it has to meet.

    Attributes:
        says: what it is.
        value: the number; None if there is none.
        unit: what it is counted in.
        bar: the largest value that is good enough, or the smallest; None if it is only told.
        at_least: is the bar the smallest one?
        computed: of a time, how much of it the process had a core, where others took it away.
        note: what explains it.
    """

    says: str
    value: float | None
    unit: str = ""
    bar: float | None = None
    at_least: bool = False
    computed: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Met, missed, or nothing where there is no bar."""
        if self.bar is None:
            return ""
        if self.value is None:
            return "missed"
        if self.value >= self.bar if self.at_least else self.value <= self.bar:
            return "met"
        if self.computed is not None and self.computed <= self.bar:
            return "met by core time"
        return "missed"

    @property
    def shown(self) -> str:
        """The number with its unit."""
        return "–" if self.value is None else with_unit(self.value, self.unit)

    @property
    def shown_bar(self) -> str:
        """The bar with its unit."""
        if self.bar is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {with_unit(self.bar, self.unit)}"


def with_unit(value: float, unit: str) -> str:
    """A number as a person would write it."""
    if unit == "s":
        for scale, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")):
            if value >= scale:
                return f"{value / scale:.3g} {name}"
    if unit == "B":
        return f"{value / 1e9:.2f} GB"
    if unit == "%":
        return f"{value:.3g} %"
    if unit == "ε":  # a relative difference
        return f"{value:.0e}" if value else "0"
    number = f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"
    return f"{number} {unit}".strip()


@dataclass(frozen=True)
class Row:
    """A work: what it is, how large its graph is, and its figures."""

    work: str
    nodes: int
    figures: list[Figure]


# --- measuring -----------------------------------------------------------------------------------


class FailedError(Exception):
    """A measurement that came to no end."""


@dataclass(frozen=True)
class Lab:
    """Where measurements run.

    Attributes:
        quick: small works, each measured once: a look at the figures, no judgement.
    """

    quick: bool = False

    def size(self, full: int, quick: int) -> int:
        """The size of a work."""
        return quick if self.quick else full

    @property
    def repeats(self) -> int:
        """How many times a build is measured."""
        return 1 if self.quick else 3

    def run(self, cache: str, **job: Any) -> Found:
        """What a job finds in a new process with this cache directory.

        Raises:
            FailedError: the process failed or took too long.
        """
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        command = [sys.executable, "-P", "-m", "tests.benchmarks.process", json.dumps(job)]
        environment = {**os.environ, "PYTHONPATH": path, "GRADCOMPILE_CACHE_DIR": cache}
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=True
            )
        except subprocess.TimeoutExpired:
            raise FailedError(f"not done after {LIMIT} s") from None
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
            raise FailedError(lines[-1]) from None
        found: Found = json.loads(done.stdout.splitlines()[-1])
        return found

    def cold(self, **job: Any) -> Found:
        """What a job finds with an empty cache."""
        with tempfile.TemporaryDirectory(prefix="gradcompile-bench-") as cache:
            return self.run(cache, **job)

    def cold_and_warm(self, **job: Any) -> tuple[Found, Found]:
        """What a build finds with an empty cache, and with what it left there; medians."""
        cold, warm = [], []
        for turn in range(self.repeats):
            with tempfile.TemporaryDirectory(prefix="gradcompile-bench-") as cache:
                cold.append(self.run(cache, job="build", check=turn == 0, **job))
                warm.append(self.run(cache, job="build", **job))
        assert not any(found["from cache"] for found in cold)
        assert all(found["from cache"] for found in warm)
        return {**cold[0], **median(cold)}, median(warm)


def median(runs: Sequence[Found]) -> Found:
    """The run that took the median time."""
    return sorted(runs, key=lambda found: float(found["seconds"]))[len(runs) // 2]


# --- figures that come again and again -----------------------------------------------------------


def to_callable(found: Found, bar: float | None, says: str = "to callable, empty cache") -> Figure:
    """How long it took from the graph to the callable, and where the time went."""
    seconds, computed, imported = found["seconds"], found["computed"], found["import"]
    note = (
        f"of a core {computed:.2f} s; importing numba {imported['seconds']:.2f} s, "
        f"of a core {imported['computed']:.2f} s; {by_stage(found)}"
    )
    return Figure(says, seconds, "s", bar, computed=computed if busy() else None, note=note)


def busy() -> bool:
    """Do more processes run than there are cores?"""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > (os.cpu_count() or 1)


def by_stage(found: Found) -> str:
    """The stages that took most of the time."""
    stages = sorted(found["stages"].items(), key=lambda stage: -stage[1])
    return ", ".join(f"{name} {seconds:.2f}" for name, seconds in stages[:6])


def agreements(found: Found) -> Iterator[Figure]:
    """Value and gradient compared with the interpreter and with eager backward passes."""
    for oracle in ("interpreter", "eager"):
        yield Figure(f"difference from {oracle}", found[f"from {oracle}"], "ε", AGREE)


def shape(found: Found, lines: float | None = None, nests: float | None = None) -> Iterator[Figure]:
    """How long the text is."""
    yield Figure("lines of text", found["lines"], "", lines)
    rolled = found["rolled"]
    if rolled is not None:
        note = f"{rolled['instructions']:,} instructions, {rolled['gathers']} gathers"
        yield Figure("loop nests", rolled["nests"], "", nests, note=note)
    elif nests is not None:
        yield Figure("loop nests", None, "", nests, note="nothing was rolled")


def eager_steps(found: Found, bar: float) -> Iterator[Figure]:
    """One step, and how many times longer it takes with eager Values."""
    for name in ("flat", "dispatcher"):
        yield Figure(f"one step, .{name}", found["fast"][name]["seconds"], "s")
    for name, one in found["slow"].items():
        if name != "flat":
            seconds = with_unit(one["seconds"], "s")
            note = f"{seconds} of a core a step: the graph and its backward pass"
            its_bar = bar if name == "eager" else None
            yield Figure(f"{name} / .flat", one["times"], "×", its_bar, at_least=True, note=note)


def compiling(found: Found) -> float:
    """Seconds of a core from the graph to the callable, numba being there already."""
    return float(found["computed"] - found["import"]["computed"])


def growth(lab: Lab, work: str, small: int, large: int, bar: float = LINEAR) -> Row:
    """How the time of one operation grows with the size of a work."""
    few = median([lab.cold(job="build", work=work, size=small) for _ in range(lab.repeats)])
    # A large one is long enough to be measured once.
    many = lab.cold(job="build", work=work, size=large, check=True)
    times = (compiling(many) / large) / (compiling(few) / small)
    note = f"{compiling(few):.2f} s and {compiling(many):.2f} s of a core, after importing numba"
    figures = [
        to_callable(many, None),
        Figure(f"time of one, {large:,} / {small:,}", times, "×", bar, note=note),
        *shape(many),
        *agreements(many),
        Figure("peak memory", many["peak"], "B"),
    ]
    return Row(f"{work}, {large:,}", many["nodes"], figures)


# --- the rows ------------------------------------------------------------------------------------


def moons(lab: Lab) -> Row:
    """The two moons as in the lecture."""
    rows = lab.size(100, 20)
    cold, warm = lab.cold_and_warm(work="moons", size=rows)
    steps = lab.cold(job="steps", work="moons", size=rows, jax=True)
    by_jax = {name: one for name, one in steps["fast"].items() if name.startswith("jax")}
    # Of the ways to give jax its parameters, the fastest one.
    fastest = min(by_jax.values(), key=lambda one: one["times"])
    note = ", ".join(f"{name} {with_unit(one['seconds'], 's')}" for name, one in by_jax.items())
    peers = max(steps["differences"].values())
    figures = [
        to_callable(cold, 6.0),
        to_callable(warm, 1.5, "to callable, full cache"),
        *shape(cold, lines=160),
        Figure(".flat / jax.jit(value_and_grad)", 1 / fastest["times"], "×", 0.30, note=note),
        *eager_steps(steps, 20_000),
        *agreements(cold),
        Figure("difference from jax", peers, "ε", AGREE),
    ]
    return Row(f"two moons, {rows} rows", cold["nodes"], figures)


def many_moons(lab: Lab) -> Row:
    """Fifteen times as many rows."""
    rows = lab.size(1500, 100)
    found = lab.cold(job="build", work="moons", size=rows, check=True)
    plain = lab.cold(job="build", work="moons", size=rows)  # what checks need is no part of it
    figures = [
        to_callable(plain, 60.0),
        Figure("peak memory", plain["peak"], "B", 6e9, note="of the process, the graph included"),
        *shape(found),
        *agreements(found),
    ]
    return Row(f"two moons, {rows:,} rows", found["nodes"], figures)


def mlp(lab: Lab) -> Row:
    """A wide layer, one row."""
    inputs = lab.size(784, 64)
    cold, warm = lab.cold_and_warm(work="mlp", size=inputs)
    figures = [
        to_callable(cold, 8.0),
        to_callable(warm, None, "to callable, full cache"),
        *shape(cold),
        *agreements(cold),
    ]
    return Row(f"MLP {inputs}-50-10, cross-entropy", cold["nodes"], figures)


def transformer(lab: Lab) -> Row:
    """Attention: what each position does depends on how many came before."""
    positions = lab.size(8, 3)
    cold, warm = lab.cold_and_warm(work="transformer", size=positions)
    steps = lab.cold(job="steps", work="transformer", size=positions)
    figures = [
        to_callable(cold, 15.0),
        to_callable(warm, None, "to callable, full cache"),
        *shape(cold, nests=120),
        *eager_steps(steps, 5_000),
        *agreements(cold),
    ]
    return Row(f"transformer, {positions} positions", cold["nodes"], figures)


def rnn(lab: Lab) -> Row:
    """A recurrence with a state of eight numbers."""
    return growth(lab, "rnn", lab.size(100, 25), lab.size(200, 50))


def pendulum(lab: Lab) -> Row:
    """A recurrence with a state of two numbers."""
    return growth(lab, "pendulum", lab.size(500, 100), lab.size(1000, 200))


def irregular(lab: Lab) -> Row:
    """Nothing to roll."""
    return growth(lab, "irregular", lab.size(2_000, 500), lab.size(20_000, 2_000))


def sums(work: str, lab: Lab) -> Row:
    """Long sums, deep and shallow."""
    return growth(lab, work, lab.size(100_000, 5_000), lab.size(1_000_000, 20_000))


def blocks(lab: Lab) -> Row:
    """Random programs of which some parts are alike."""
    count = lab.size(500, 60)
    found = lab.cold(job="blocks", count=count)
    note = (
        f"by CPython, {found['compiled']} of them by machine code as well; left out are "
        f"{found['sensitive']} in which one ulp in every number makes such a difference, too"
    )
    figures = [
        Figure("rolled beside unrolled", found["difference"], "ε", AGREE, note=note),
        Figure("the same, strict=True", found["strict"], "ε", 0.0, note="all of them"),
        Figure("in loops where regular", found["regular"], "%", 80.0, at_least=True,
               note="of the operations that a run executes"),
        Figure("in loops elsewhere", found["others"], "%"),
    ]  # fmt: skip
    return Row(f"{count} programs of random blocks", found["nodes"], figures)


ROWS: dict[str, Callable[[Lab], Row]] = {
    "moons": moons,
    "moons-1500": many_moons,
    "mlp": mlp,
    "transformer": transformer,
    "irregular": irregular,
    "chain": partial(sums, "chain"),
    "tree": partial(sums, "tree"),
    "blocks": blocks,
    "rnn": rnn,
    "pendulum": pendulum,
}


def measured(name: str, lab: Lab) -> Row:
    """A row; one that tells why, if it could not be measured."""
    try:
        return ROWS[name](lab)
    except FailedError as error:
        return Row(name, 0, [Figure("failed", None, "", 0.0, note=str(error))])


# --- showing -------------------------------------------------------------------------------------


def header(quick: bool, only: Sequence[str] = ()) -> list[str]:
    """What was run, by what, on what kind of machine."""
    names = [name for name in ("numpy", "numba", "jax", "micrograd") if find_spec(name)]
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    command = " ".join([COMMAND, *(f"--only {name}" for name in only), *["--quick"] * quick])
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return [
        f"`{command}`, {os.cpu_count()} cores{load}, {platform.machine()}, "
        f"Python {platform.python_version()}, {versions}.",
        *(["Small works, measured once: the bars are those of the full sizes."] * quick),
    ]


def markdown(rows: Sequence[Row], lines: Sequence[str]) -> str:
    """The page, under the lines that say what was run."""
    title = ["# What rolling achieves", "", *lines, "", EXPLANATION]
    table = ["| work | nodes | figure | found | bar | |", "|---|--:|---|--:|--:|---|"]
    notes = []
    for row in rows:
        for number, figure in enumerate(row.figures):
            work, nodes = (row.work, f"{row.nodes:,}") if number == 0 else ("", "")
            cells = (work, nodes, figure.says, figure.shown, figure.shown_bar, figure.verdict)
            table.append(f"| {' | '.join(cells)} |")
            if figure.note:
                notes.append(f"- {row.work}, {figure.says}: {figure.note}")
    return "\n".join([*title, "", *table, "", "## Notes", "", *notes, ""])


EXPLANATION = """\
*To callable* is the time from a finished graph of Values to the first result of
`f.value_and_grad.flat(x)`: lowering, differentiation, passes, rolling, and machine code. It
includes the import of numba, but not that of gradcompile; each time in a new process, with an empty
cache directory or, where it says so, with what the process before left there. Where more processes
run than there are cores, a bar may be *met by core time*: the seconds that the process had a core.
*One step* is the value and the gradient at one point, on one flat array. Differences are relative;
numbers below a thousandth of the largest one count as that. Times are medians; steps are measured
by turns in one process, in float64."""


def show(row: Row, out: Callable[[str], Any] = print) -> None:
    """Print a row."""
    out(f"\n{row.work}: {row.nodes:,} nodes")
    for figure in row.figures:
        out(
            f"  {figure.says:34} {figure.shown:>10}  {figure.shown_bar:>12}  {figure.verdict:6}"
            f"  {figure.note}".rstrip()
        )


def save(path: Path, rows: Sequence[Row], lines: Sequence[str]) -> None:
    """Write the figures as JSON or as Markdown, by the name of the file."""
    if path.suffix == ".json":
        found = [asdict(row) for row in rows]
        for row, as_found in zip(rows, found, strict=True):
            for figure, one in zip(row.figures, as_found["figures"], strict=True):
                one["verdict"] = figure.verdict
        path.write_text(json.dumps({"header": lines, "rows": found}, indent=1) + "\n")
    else:
        path.write_text(markdown(rows, lines))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each figure; the exit status is 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=ROWS, help="one row")
    parser.add_argument("--quick", action="store_true", help="small works, each measured once")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write .md or .json as well")
    given = parser.parse_args(arguments)
    lines = header(given.quick, given.only or ())
    print("\n".join(lines), flush=True)
    rows = []
    for name in given.only or ROWS:
        rows.append(measured(name, Lab(given.quick)))
        show(rows[-1], partial(print, flush=True))
        if given.out is not None:
            save(given.out, rows, lines)
    verdicts = [figure.verdict for row in rows for figure in row.figures]
    print(f"\n{verdicts.count('met')} bars met, {verdicts.count('missed')} missed")
    return 1 if "missed" in verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
