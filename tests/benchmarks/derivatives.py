"""Jacobians, Hessians and products beside peers: the same works, in one process, by turns.

Run by `python -m tests.benchmarks.derivatives`. Each work is a process of its own that has one core
and starts with an empty cache; nothing is measured before all sides have computed the same numbers.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks import peers
from tests.benchmarks.derivative_sides import CASADI, GRADIENT, JAX, OURS
from tests.benchmarks.derivative_works import OBSERVATIONS
from tests.benchmarks.peers import fastest, missed_by, pin
from tests.benchmarks.rolling import LIMIT, ROOT, FailedError, Figure, with_unit

COMMAND = "python -m tests.benchmarks.derivatives"

Found = dict[str, Any]


@dataclass(frozen=True)
class Race:
    """A work, and what is judged of it.

    Attributes:
        title: what it is called on the page.
        size: how large it is.
        small: the same for a quick look.
        bars: the largest part of the peer's time that ours may take.
        ready: the same of the time to be ready.
        lines: the most lines that each of our texts may have.
        larger: a size at which only ours is compiled; its texts have to be as long.
        proof: are all derivatives to be proved?
    """

    title: str
    size: int = 0
    small: int = 0
    bars: tuple[tuple[str, float], ...] = ()
    ready: tuple[tuple[str, float], ...] = ()
    lines: int | None = None
    larger: int | None = None
    proof: bool = False


RACES = {
    "ba1": Race(
        "bundle adjustment ba1: residuals and Jacobian",
        OBSERVATIONS, 500, bars=((CASADI, 0.5), (JAX, 0.15)),
    ),
    "rosenbrock-gradient": Race(
        "Rosenbrock, gradient, n = 10,000", 10_000, 200, bars=((CASADI, 0.5),), lines=60
    ),
    "rosenbrock-hessian": Race(
        "Rosenbrock, sparse Hessian, n = 1,000", 1_000, 100, bars=((CASADI, 0.5),), lines=60
    ),
    "luksan-vlcek": Race(
        "Lukšan–Vlček: objective, constraints, sparse Jacobian and Hessian, N = 1,000",
        1_000, 100, ready=((CASADI, 1.0),), lines=150, larger=10_000,
    ),
    "pollu": Race("POLLU, sparse Jacobian", bars=((CASADI, 1.0),), proof=True),
    "arm-pose": Race("arm with 7 joints: pose and Jacobian", bars=((CASADI, 1.0),)),
    "arm-dynamics": Race("arm with 7 joints: torques and Jacobian", bars=((CASADI, 1.0),)),
    "greeks": Race(
        "Black–Scholes: price, first and second Greeks, 1,000,000 rows",
        1_000_000, 1_000, bars=((JAX, 0.5),),
    ),
    "moons-hvp": Race(
        "two moons, 100 rows: Hessian times a vector", 100, 20, bars=((GRADIENT, 3.0),)
    ),
}  # fmt: skip


# --- measuring -----------------------------------------------------------------------------------


def run(**job: Any) -> Found:
    """What a job finds in a new process with one core and an empty cache.

    Raises:
        FailedError: the process failed or took too long.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    threads = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
    command = [sys.executable, "-P", "-m", "tests.benchmarks.derivative_race", json.dumps(job)]
    with tempfile.TemporaryDirectory(prefix="gradcompile-bench-") as cache:
        environment = {
            **os.environ, **threads, "PYTHONPATH": path, "GRADCOMPILE_CACHE_DIR": cache
        }  # fmt: skip
        try:
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=LIMIT, check=True,
                preexec_fn=partial(pin, 1) if hasattr(os, "sched_setaffinity") else None,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise FailedError(f"not done after {LIMIT} s") from None
        except subprocess.CalledProcessError as error:
            lines = error.stderr.strip().splitlines() or [f"exit status {error.returncode}"]
            raise FailedError(lines[-1]) from None
    found: Found = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(name: str, quick: bool) -> Found:
    """Everything about one work."""
    one = RACES[name]
    size = one.small if quick else one.size
    found = run(job="race", work=name, size=size, seconds=1.0 if quick else 10.0)
    if one.larger is not None:
        larger = 5 * one.small if quick else one.larger
        found["larger"] = {"size": larger, **run(job="build", work=name, size=larger)}
    if one.proof:
        found["proof"] = run(job="proof", work=name, size=size)
    return found


# --- bars ----------------------------------------------------------------------------------------


def figures(name: str, found: Found) -> Iterator[Figure]:
    """What is judged of a work."""
    one = RACES[name]
    for peer, bar in one.bars:
        side = fastest(found, peer)
        if side is not None:
            yield Figure(f"{OURS} / {side}", found["ratios"][side], "×", bar)
    for peer, bar in one.ready:
        if peer in found["ready"]:
            times = found["ready"][OURS] / found["ready"][peer]
            yield Figure(f"ready: {OURS} / {peer}", times, "×", bar)
    if one.lines is not None:
        yield Figure("lines of the longest text", max(found["lines"]), "", one.lines)
    if "larger" in found:
        larger = found["larger"]
        more = max(b - a for a, b in zip(found["lines"], larger["lines"], strict=True))
        yield Figure(f"more lines at {larger['size']:,}", float(max(more, 0)), "", 0.0)
        yield Figure(f"ready at {larger['size']:,}", larger["ready"][OURS], "s")
        yield Figure(f"peak memory at {larger['size']:,}", larger["peak"], "B")
    if "proof" in found:
        proved = 100.0 * found["proof"]["proved"] / found["proof"]["of"]
        says = f"proved, of {found['proof']['of']} derivatives"
        yield Figure(says, proved, "%", 100.0, at_least=True)


# --- the page ------------------------------------------------------------------------------------

EXPLANATION = """\
Every side computes the same numbers from the same arrays, in float64; before anything is measured,
they are compared, and have to agree to 1e-9. Times of a call are medians of measurements that take
turns in one process, which has one core; *of it* is the median of the ratios within a turn:
gradcompile's time, divided by the other's. Where calls are so long that others get the core in
between, they are measured by the time that the process had it. *Ready* is what it takes to trace,
to differentiate, to compile (by numba, by gcc, by XLA) and to compute the first result, in seconds
of a core, imports apart.

*gradcompile* is the kernel that a user calls from Python with numpy arrays, and returns new arrays.
CasADi's function is C code, compiled by gcc with `-O3 -march=native` and the liberties with sums
that gradcompile takes in loops; it is called through buffers, which it reads and writes in place.
jax is given arrays of its own, made beforehand. Works that are vectors by nature are written for
CasADi by scalars and by vectors, and the faster way counts.

In bundle adjustment, gradcompile and CasADi return the residuals and the 29 entries of an
observation that may be other than zero, and jax all 45. Loops over more than 1,024 numbers are
cut into blocks for the cache, which takes a line each: so texts grow by some lines, and no more."""


def markdown(results: dict[str, Found], lines: Sequence[str]) -> str:
    """The page, under the lines that say what was run."""
    parts = ["# Jacobians, Hessians and their peers", "", *lines, "", EXPLANATION, ""]
    parts += ["## Bars", "", *table(results), "", "## Times"]
    for name, found in results.items():
        parts += ["", f"### {RACES[name].title}", ""]
        if "error" in found:
            parts += [f"Not measured: {found['error']}"]
            continue
        parts += ["| side | ready | one call | of it |", "|---|--:|--:|--:|"]
        for side, seconds in found["seconds"].items():
            ready, call = (with_unit(x, "s") for x in (found["ready"][side], seconds))
            parts.append(f"| {side} | {ready} | {call} | {found['ratios'][side]:.2f} |")
        parts += ["", f"Lines of text: {', '.join(map(str, found['lines']))}."]
        parts += [f"{side} is left out: {why}" for side, why in found["failed"].items()]
    return "\n".join(parts) + "\n"


def table(results: dict[str, Found]) -> Iterator[str]:
    """The figures with their bars."""
    yield "| work | figure | found | bar | |"
    yield "|---|---|--:|--:|---|"
    verdicts = []
    for name, found in results.items():
        shown = RACES[name].title
        failed = [Figure("not measured", None, "", 0.0)]
        for one in failed if "error" in found else figures(name, found):
            yield f"| {shown} | {one.says} | {one.shown} | {one.shown_bar} | {missed_by(one)} |"
            shown = ""
            verdicts.append(one.verdict)
    yield ""
    yield f"{verdicts.count('met')} bars are met, {verdicts.count('missed')} are missed."


def header(quick: bool, only: Sequence[str]) -> list[str]:
    """What was run, by what, on what kind of machine."""
    return [line.replace(peers.COMMAND, COMMAND) for line in peers.header(quick, only)]


def measured(name: str, quick: bool, out: Callable[[str], Any]) -> Found:
    """What was found of a work, told; or why it could not be measured."""
    try:
        found = measure(name, quick)
    except FailedError as error:
        out(f"{name}: failed: {error}")
        return {"error": str(error)}
    times = [f"{side} {with_unit(t, 's')}" for side, t in found["seconds"].items()]
    out(f"{name}: {'; '.join(times)}")
    for one in figures(name, found):
        out(f"  {one.says:44} {one.shown:>10}  {one.shown_bar:>10}  {missed_by(one)}".rstrip())
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each figure; the exit status is 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=RACES, help="one work")
    parser.add_argument("--quick", action="store_true", help="small works, measured briefly")
    parser.add_argument("--out", metavar="FILE.md", type=Path, help="write the page as well")
    given = parser.parse_args(arguments)
    lines = header(given.quick, given.only or ())
    print("\n".join(lines), flush=True)
    results: dict[str, Found] = {}
    for name in given.only or RACES:
        results[name] = measured(name, given.quick, partial(print, flush=True))
        if given.out is not None:
            given.out.write_text(markdown(results, lines))
    print("\n".join(table(results)))
    verdicts = [one.verdict for name, found in results.items() if "error" not in found
                for one in figures(name, found)]  # fmt: skip
    return 1 if "missed" in verdicts or any("error" in x for x in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
