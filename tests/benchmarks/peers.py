"""gradcompile beside its peers: the same works, in the same process, by turns.

Run by `python -m tests.benchmarks.peers`. Each comparison is a process of its own that has one
core, or two; nothing is measured before all sides have computed the same numbers.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tests.benchmarks.ceiling import CHAINS, TURNS
from tests.benchmarks.contest import PEAK, READ
from tests.benchmarks.rolling import LIMIT, ROOT, FailedError, Figure, busy, median, with_unit
from tests.benchmarks.rows import DISPATCHER, FLAT, WIDTHS, WORKS
from tests.benchmarks.sides import compiler

COMMAND = "python -m tests.benchmarks.peers"
CORES = os.cpu_count() or 1
PACKAGES = ("numpy", "numba", "jax", "torch", "casadi", "micrograd", "scipy")

JAX, TORCH, CASADI = "jax.jit", "torch", "CasADi, C"

TWO = ("moons-relu-10000", "moons-tanh-10000", "moons-relu-1000000", "moons-tanh-1000000",
       "mlp", "black-scholes", "logistic")  # fmt: skip
"""The works that are long enough for two threads."""

THREADED = (JAX, f"{JAX}, one flat array", TORCH, "torch.compile", "numpy")
"""The sides that use more cores than one."""

BUILDS = ("neuron", "moons-relu-100", "moons-tanh-100", "mlp", "black-scholes", "robot-arm",
          "logistic")  # fmt: skip
"""One of each that is compiled; how many rows there are makes no difference to that."""

MEMORY = ("moons-relu-1000000", "moons-tanh-1000000", "black-scholes")

Found = dict[str, Any]


@dataclass(frozen=True)
class Bar:
    """How fast is fast enough.

    Attributes:
        work: of which work.
        peer: the part of this peer's time that ours is, or "peak" for the part of the limit.
        bar: the largest part that is good enough; the smallest for the limit.
        ours: how many threads ours may use.
        theirs: how many the peer may use.
        times: the bar is how many times the peer's time is ours, at least.
        why: what stands in the way where it is missed.
    """

    work: str
    peer: str
    bar: float
    ours: int = 1
    theirs: int = 1
    times: bool = False
    why: str = ""


FIXED = (
    "what does not depend on the rows counts at a hundred of them. About 2 µs are the way into "
    "machine code, Python's and numba's, and the arrays that are returned. At the core's peak the "
    "multiply-adds take 1.6 µs; but vectors of eight do not divide a hundred rows, and the loops "
    "over the rows begin anew for each neuron of each layer"
)

BARS = (
    Bar("moons-relu-100", JAX, 0.15, why=FIXED),
    Bar("moons-relu-100", TORCH, 0.08),
    Bar("moons-relu-100", CASADI, 0.10, why=f"{FIXED}; CasADi's C of a row costs half a µs a row"),
    Bar("moons-relu-100", "micrograd", 50_000, times=True),
    Bar("moons-tanh-100", JAX, 0.30),
    Bar("moons-relu-10000", JAX, 0.6, theirs=2),
    Bar("moons-relu-10000", JAX, 0.35, ours=2, theirs=2),
    Bar("moons-relu-10000", PEAK, 30.0),
    Bar("black-scholes", JAX, 0.5),
    Bar("mlp", JAX, 1.5),
)
COLD, WARM, EXTRA = 5.0, 1.0, 64e6


# --- measuring -----------------------------------------------------------------------------------


@dataclass
class Results:
    """All that was found.

    Attributes:
        races: by work, for one core.
        doubles: by work, for two.
        widths: of MLPs with other hidden layers.
        builds: by work, with an empty cache and in a second process.
        memory: by work.
        limits: of a core.
        failures: what could not be measured, and why.
    """

    races: dict[str, Found] = field(default_factory=dict)
    doubles: dict[str, Found] = field(default_factory=dict)
    widths: dict[str, Found] = field(default_factory=dict)
    builds: dict[str, tuple[Found, Found]] = field(default_factory=dict)
    memory: dict[str, Found] = field(default_factory=dict)
    limits: Found = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def run(cores: int, cache: str, **job: Any) -> Found:
    """What a job finds in a new process with so many cores.

    Raises:
        FailedError: the process failed or took too long.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    threads = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "GRADCOMPILE_CACHE_DIR": cache,
        "TORCHINDUCTOR_CACHE_DIR": os.path.join(cache, "torch"),
        **{f"{name}_NUM_THREADS": str(cores) for name in threads},
    }
    command = [sys.executable, "-P", "-m", "tests.benchmarks.contest", json.dumps(job)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=True,
            preexec_fn=partial(pin, cores) if hasattr(os, "sched_setaffinity") else None,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise FailedError(f"not done after {LIMIT} s") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
        raise FailedError(lines[-1]) from None
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def pin(cores: int) -> None:
    """Keep to so many cores: the last ones, as systems like to use the first."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-cores:])


def in_empty(cores: int, **job: Any) -> Found:
    """What a job finds where nothing was ever compiled."""
    with tempfile.TemporaryDirectory(prefix="gradcompile-bench-") as cache:
        return run(cores, cache, **job)


def cold_and_warm(work: str, quick: bool) -> tuple[Found, Found]:
    """A build with an empty cache, and one with what that left there; medians."""
    cold, warm = [], []
    for _ in range(1 if quick else 3):
        with tempfile.TemporaryDirectory(prefix="gradcompile-bench-") as cache:
            job = {"job": "build", "work": work, "quick": quick}
            cold.append(run(CORES, cache, **job))
            warm.append(run(CORES, cache, **job))
    return {**median(cold), "busy": busy()}, {**median(warm), "busy": busy()}


def measure(
    results: Results,
    names: Sequence[str],
    quick: bool,
    out: Callable[[str], Any],
    saved: Callable[[Results], Any],
) -> None:
    """Everything about these works, told as soon as it is known."""

    def attempt(label: str, into: dict[Any, Any], key: Any, job: Callable[[], Any]) -> None:
        try:
            into[key] = job()
        except FailedError as error:
            results.failures.append(f"{label}: {error}")
            out(f"{label}: failed: {error}")
            return
        out(_told(label, into[key]))
        saved(results)

    short = {"quick": quick, "seconds": 1.0 if quick else 6.0}
    for name in names:
        job = partial(in_empty, 1, job="race", work=name, limits=True, **short)
        attempt(f"{name}, one core", results.races, name, job)
        if name in TWO and CORES > 1 and not quick:
            job = partial(in_empty, 2, job="race", work=name, only=THREADED, **short)
            attempt(f"{name}, two cores", results.doubles, name, job)
        if name in BUILDS:
            job = partial(cold_and_warm, name, quick)
            attempt(f"{name}, compiling", results.builds, name, job)
        if name in MEMORY:
            job = partial(in_empty, 1, job="memory", work=name, quick=quick)
            attempt(f"{name}, memory", results.memory, name, job)
        if name == "mlp" and not quick:
            for width in WIDTHS:
                work = f"mlp-{width}"
                job = partial(in_empty, 1, job="race", work=work, only=[JAX], seconds=4.0)
                attempt(f"{work}, one core", results.widths, str(width), job)
    limits: dict[str, Found] = {}
    attempt("limits", limits, "limits", partial(in_empty, 1, job="limits"))
    results.limits = limits.get("limits", {})
    saved(results)


def _told(label: str, found: Any) -> str:
    if isinstance(found, tuple):
        return f"{label}: " + ", then ".join(with_unit(one["seconds"], "s") for one in found)
    if "seconds" not in found:
        return f"{label}: {found}"
    times = [f"{name} {with_unit(t, 's')}" for name, t in found["seconds"].items()]
    return f"{label}: {'; '.join(times)}"


# --- bars ----------------------------------------------------------------------------------------


def fastest(found: Found, peer: str) -> str | None:
    """Of the ways to write a work for a peer, the one that takes least time."""
    ways = [name for name in found["ratios"] if name == peer or name.startswith(f"{peer}, ")]
    if peer == "CasADi":
        ways = [name for name in ways if not name.startswith(CASADI)]
    return max(ways, key=lambda name: found["ratios"][name], default=None)


def judged(results: Results) -> Iterator[tuple[str, Figure]]:
    """Every figure that has a bar, under the title of its work."""
    for _, title, figure in _compared(results):
        yield title, figure
    for name, (cold, warm) in results.builds.items():
        title = results.races[name]["title"] if name in results.races else name
        says = ("to the first result, empty cache", "the same, second process")
        for text, found, bar in zip(says, (cold, warm), (COLD, WARM), strict=True):
            computed = found["computed"] if found["busy"] else None
            yield title, Figure(text, found["seconds"], "s", bar, computed=computed)
    for found in results.memory.values():
        if found["extra"] is not None:
            extra = max(0.0, found["extra"] - found["outputs"])
            says = "memory besides inputs and outputs"
            yield found["title"], Figure(says, extra / 1e6, "MB", EXTRA / 1e6)


def _compared(results: Results) -> Iterator[tuple[Bar, str, Figure]]:
    """The figures of all bars that compare with a peer, or with the core's limit."""
    for bar in BARS:
        found = (results.races if bar.theirs == 1 else results.doubles).get(bar.work)
        own = (results.races if bar.ours == 1 else results.doubles).get(bar.work)
        if found is None or own is None:
            continue
        if bar.peer == PEAK:
            value = 100 * found["fractions"][PEAK]
            says = "multiply-adds, of the core's peak"
            yield bar, found["title"], Figure(says, value, "%", bar.bar, at_least=True)
            continue
        name = fastest(found, bar.peer)
        if name is None:
            continue
        if own is found:
            ratio = found["ratios"][name]
        else:  # the machine code by itself has one thread where the peer has two
            ratio = found["seconds"][DISPATCHER] / found["seconds"][name]
        if bar.times:
            figure = Figure(f"{name} / gradcompile", 1 / ratio, "×", bar.bar, at_least=True)
        else:
            threads = [" with two cores" if count == 2 else "" for count in (bar.ours, bar.theirs)]
            says = f"gradcompile{threads[0]} / {name}{threads[1]}"
            figure = Figure(says, ratio, "×", bar.bar)
        yield bar, found["title"], figure


def missed_by(figure: Figure) -> str:
    """How far from its bar a figure is."""
    if figure.verdict != "missed" or not figure.value or not figure.bar:
        return figure.verdict
    return f"missed, {figure.value / figure.bar:.2g} times the bar"


# --- the page ------------------------------------------------------------------------------------


def header(quick: bool, only: Sequence[str]) -> list[str]:
    """What was run, by what, on what kind of machine."""
    versions, absent = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            absent.append(name)
    command = " ".join([COMMAND, *(f"--only {name}" for name in only), *["--quick"] * quick])
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    lines = [
        f"`{command}`: {os.cpu_count()} cores{load}, {platform.machine()}, "
        f"Python {platform.python_version()}, {', '.join(versions)}."
    ]
    if absent:
        lines.append(f"Not installed, so left out: {', '.join(absent)}.")
    if not compiler():
        lines.append("There is no C compiler, so CasADi's C is left out.")
    if quick:
        lines.append("Small works, measured briefly: the bars are those of the full sizes.")
    return lines


EXPLANATION = """\
Every side computes the same value and the same derivatives from the same arrays, in float64; before
anything is measured, their numbers are compared, and have to agree to 1e-9. Times are medians of
measurements that take turns in one process; that process may use one core, or two. *Of it* is the
median of the ratios within a turn: gradcompile's time, divided by the peer's. *Ready* is what it
takes to compile and to compute the first result, imports apart. Arrays of gradcompile and numba are
ordinary numpy arrays; jax and torch are given arrays of their own, made beforehand, and CasADi
buffers that it reads in place. jax and CasADi are measured with the works written in two ways where
that makes a difference to them.

*gradcompile* is the function that a user calls from Python, `.flat` for a vector of parameters;
`.dispatcher` is its machine code alone, as other compiled code calls it."""

NOTES = """\
- gradcompile's batched functions are compiled with `parallel=True`: one thread for each core that
  the process may use. `.dispatcher` uses one.
- The load is told above. Where it is more than there are cores, a side with two threads waits for
  the one that has lost its core: then two cores may be slower than one, and bars that compare with
  them say little.
- There is no kernel for a Jacobian yet: the arm's is three gradients of three kernels.
- Where the first result takes long, it is numba that takes it: of the MLP's time, three quarters. A
  process that finds the machine code on disk does without.
- micrograd has neither tanh nor exp, and takes a second for 100 rows; it is there where it can be.
- `erf` stands in Black and Scholes's formula for everybody, because CasADi has no `erfc`."""


def in_order(races: dict[str, Found]) -> dict[str, Found]:
    """The races as they stand in `rows.py`, whenever they were measured."""
    return {name: races[name] for name in WORKS if name in races}


def markdown(results: Results, lines: Sequence[str], plot: str | None = None) -> str:
    """The page, under the lines that say what was run."""
    parts = ["# Beside its peers", "", *lines, ""]
    if plot:
        parts += [f"```{{image}} {plot}", ":alt: Times of peers, gradcompile's being 1", "```", ""]
    parts += [EXPLANATION, "", "## Bars", "", *_bars(results), ""]
    parts += ["## Times", ""]
    for name, found in in_order(results.races).items():
        parts += [f"### {found['title']}", "", *_times(found, results.doubles.get(name)), ""]
    if results.widths:
        parts += ["## Where matrix libraries become faster", "", *_widths(results), ""]
    parts += ["## What the core can do", "", *_limits(results), "", "## Notes", "", NOTES]
    for name, found in results.races.items():
        parts += [f"- {name}: {peer} is left out: {why}" for peer, why in found["failed"].items()]
    parts += [f"- Not measured: {failure}" for failure in results.failures]
    parts += [f"- Not measured: {line}" for line in absent(results)]
    return "\n".join([*parts, ""])


def absent(results: Results) -> Iterator[str]:
    """What a run that was ended early, or of some works alone, has left out."""
    kinds = {
        "one core": (WORKS, results.races),
        "two cores": (TWO, results.doubles),
        "compiling": (BUILDS, results.builds),
        "memory": (MEMORY, results.memory),
        "limits": (("multiply-adds and bytes a second",), results.limits),
    }
    for kind, (names, found) in kinds.items():
        missing = [name for name in names if not found or (kind != "limits" and name not in found)]
        if missing:
            yield f"{kind}: {', '.join(missing)}"


def _bars(results: Results) -> Iterator[str]:
    yield "| work | figure | found | bar | |"
    yield "|---|---|--:|--:|---|"
    before = ""
    for title, figure in judged(results):
        shown = "" if title == before else title
        before = title
        verdict = missed_by(figure)
        yield f"| {shown} | {figure.says} | {figure.shown} | {figure.shown_bar} | {verdict} |"
    verdicts = [figure.verdict for _, figure in judged(results)]
    yield ""
    yield f"{verdicts.count('met')} bars are met, {verdicts.count('missed')} are missed."
    for bar, title, figure in _compared(results):
        if figure.verdict == "missed" and bar.why:
            yield ""
            text = f"Why {title} misses that of {bar.peer}: {bar.why}."
            yield from textwrap.wrap(text, 100)


def _times(found: Found, double: Found | None) -> Iterator[str]:
    two = " two cores | of it |" if double else ""
    yield f"| side | ready | one core | of it |{two}"
    yield "|---|--:|--:|--:|" + ("--:|--:|" if double else "")
    for name, seconds in found["seconds"].items():
        if name in (PEAK, READ):
            continue
        ready = with_unit(found["first"][name], "s") if name in found["first"] else ""
        cells = [name, ready, with_unit(seconds, "s"), _ratio(found, name)]
        if double:
            same = double["seconds"].get(name)
            cells += ["" if same is None else with_unit(same, "s"), _ratio(double, name)]
        yield f"| {' | '.join(cells)} |"


def _ratio(found: Found, name: str) -> str:
    ratio = found["ratios"].get(name)
    return "" if ratio is None or name == FLAT else f"{ratio:.2g}"


def _widths(results: Results) -> Iterator[str]:
    yield "| MLP, 1,000 rows | gradcompile | its machine code | jax.jit | of it |"
    yield "|---|--:|--:|--:|--:|"
    rows = [*results.widths.values(), *filter(None, [results.races.get("mlp")])]
    for found in rows:
        times = [found["seconds"].get(name) for name in (FLAT, DISPATCHER, JAX)]
        cells = ["–" if t is None else with_unit(t, "s") for t in times]
        yield f"| {found['title']} | {' | '.join(cells)} | {_ratio(found, JAX)} |"


def _limits(results: Results) -> Iterator[str]:
    limits = results.limits
    if limits:
        yield (
            f"In one thread: {limits['fmas'] / 1e9:.1f} thousand million fused multiply-adds a "
            f"second, in vectors of {limits['width']} numbers; {limits['read'] / 1e9:.1f} GB/s are "
            f"read, {limits['triad'] / 1e9:.1f} GB/s where two arrays are added into a third."
        )
        yield ""
    yield "| work | of the multiply-adds | of the memory that is read |"
    yield "|---|--:|--:|"
    for found in in_order(results.races).values():
        fractions = dict(found["fractions"])
        if limits and not _is_peak(found, limits):
            fractions.pop(PEAK, None)
        cells = [f"{100 * fractions[k]:.2g} %" if k in fractions else "" for k in (PEAK, READ)]
        if any(cells):
            yield f"| {found['title']} | {' | '.join(cells)} |"
    yield ""
    yield (
        "Multiply-adds are those of the matrix products, forwards and backwards; what else a step "
        "does is not counted. Nothing stands where the core did less than half of them when it was "
        "asked between steps that go through much memory. Memory is what a step reads and writes "
        "at least."
    )


def _is_peak(found: Found, limits: Found) -> bool:
    """Was the core about as fast between the steps of a work as it is by itself?"""
    seconds = found["seconds"].get(PEAK)
    amount = CHAINS * TURNS * limits["width"]
    return seconds is not None and amount / seconds > limits["fmas"] / 2


def save(path: Path, results: Results, lines: Sequence[str]) -> None:
    """Write the page and its plot, or all figures as JSON, by the name of the file."""
    if path.suffix == ".json":
        path.write_text(json.dumps({"header": lines, **vars(results)}, indent=1) + "\n")
        return
    from tests.benchmarks.picture import picture

    folder = path.parent / "_static" if (path.parent / "_static").is_dir() else path.parent
    plot = picture(in_order(results.races), folder / f"{path.stem}.svg")
    relative = plot and plot.relative_to(path.parent).as_posix()
    path.write_text(markdown(results, lines, relative))


def load(path: Path) -> tuple[Results, list[str]]:
    """What `save` has written as JSON."""
    found = json.loads(path.read_text())
    lines = found.pop("header")
    return Results(**found), lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each figure; the exit status is 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=WORKS, help="one work")
    parser.add_argument("--quick", action="store_true", help="small works, measured briefly")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write .md or .json as well")
    parser.add_argument(
        "--found",
        metavar="FILE.json",
        type=Path,
        help="add to these figures; without --only, show them",
    )
    given = parser.parse_args(arguments)
    results, lines = load(given.found) if given.found else (Results(), [])
    if given.only or not given.found:
        lines += header(given.quick, given.only or ())
    print("\n".join(lines), flush=True)

    def saved(results: Results) -> None:
        if given.out is not None:
            save(given.out, results, lines)

    names = given.only or [name for name in WORKS if not given.quick or "000" not in name]
    if given.found and not given.only:  # nothing is added
        saved(results)
        return 0
    measure(results, names, given.quick, partial(print, flush=True), saved)
    print("\n".join(_bars(results)))
    return 1 if any(figure.verdict == "missed" for _, figure in judged(results)) else 0


if __name__ == "__main__":
    sys.exit(main())
