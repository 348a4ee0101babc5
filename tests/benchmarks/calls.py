"""What a call costs: works so small that the way into machine code counts, by turns with others'.

Run by `python -m tests.benchmarks.calls`. One process that has one core measures all calls, peers
and functions written by hand in the same turns; nothing is measured before all have computed the
same numbers. Compiling is measured apart, in processes that start with an empty cache.
"""

import argparse
import os
import platform
import random
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import gradcompile as gdc
from gradcompile import nn
from tests.benchmarks import hand
from tests.benchmarks.peers import in_empty, missed_by, pin
from tests.benchmarks.process import difference
from tests.benchmarks.rolling import FailedError, Figure, busy, median, with_unit
from tests.benchmarks.rows import make, network_loss
from tests.benchmarks.sides import compiler, installed, sides
from tests.benchmarks.timing import by_turns, calls_in, collector_off, ratio

COMMAND = "python -m tests.benchmarks.calls"
AGREE = 1e-9
SPAN = 0.0005
"""Seconds of calls in a row: short beside the time slices that others get."""

FRIENDLY, NJIT, FLAT, HAND, JAX = "gradcompile", ".njit", ".flat", "numba by hand", "jax.jit"
BY_POSITION = "array by position"

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""What to call, and with which arguments."""


@dataclass(frozen=True)
class Bar:
    """How fast is fast enough.

    Attributes:
        ours: the call that is judged.
        peer: what it is compared with; None where its time alone counts.
        bar: the largest part of the peer's time; or the most seconds.
        at_least: the bar is how many times ours the peer's time is, at least.
        above: the bar is in seconds more than the peer's.
    """

    ours: str
    peer: str | None
    bar: float
    at_least: bool = False
    above: bool = False


@dataclass(frozen=True)
class Race:
    """Calls that compute the same numbers.

    Attributes:
        title: what they compute.
        calls: compiles everything, and gives the calls by name.
        bars: what is judged of them.
    """

    title: str
    calls: Callable[[], dict[str, Call]]
    bars: tuple[Bar, ...]


@dataclass
class Times:
    """What was measured of a race: seconds a call, one for each turn, by name."""

    title: str
    seconds: dict[str, list[float]]
    bars: tuple[Bar, ...]


@dataclass
class Results:
    """All that was found.

    Attributes:
        times: of the races.
        compiling: of the neuron, with an empty cache, with machine code and a first result.
        lines: of the neuron's text.
        failures: what could not be measured, and why.
    """

    times: list[Times] = field(default_factory=list)
    compiling: Mapping[str, Any] = field(default_factory=dict)
    lines: int | None = None
    failures: list[str] = field(default_factory=list)


# --- works ---------------------------------------------------------------------------------------

POINT = (2.0, 0.0, -3.0, 1.0, 6.8813735870195432)


def neuron(x1: Any, x2: Any, w1: Any, w2: Any, b: Any) -> Any:
    """The neuron of the lecture."""
    return gdc.tanh(x1 * w1 + x2 * w2 + b)


def of_numbers() -> dict[str, Call]:
    """The neuron, given five numbers."""
    kernel = gdc.compile(neuron).value_and_grad
    kernel(*POINT)
    calls: dict[str, Call] = {FRIENDLY: (kernel, POINT), NJIT: (kernel.njit, POINT)}
    calls[HAND] = hand.neuron(), POINT
    if installed(JAX):
        calls[JAX] = sides(make("neuron"))[JAX](), ()
    return calls


def of_arrays() -> dict[str, Call]:
    """A neuron whose weights and inputs are arrays of three."""
    kernel = gdc.compile(
        lambda w, x, b: gdc.tanh(sum(wi * xi for wi, xi in zip(w, x, strict=True)) + b)
    ).value_and_grad
    given = np.array([-3.0, 1.0, 0.5]), np.array([2.0, 0.0, -1.0]), 6.8813735870195432
    kernel(*given)
    calls = {FRIENDLY: kernel, NJIT: kernel.njit, HAND: hand.neuron_of_arrays()}
    return {name: (call, given) for name, call in calls.items()}


def lecture() -> dict[str, Call]:
    """The loss of the lecture's network on its four rows, by 41 parameters."""
    random.seed(1337)
    model = nn.MLP(3, [4, 4, 1])
    params = [p.data for p in model.parameters()]
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]

    @partial(gdc.compile, wrt="params")
    def loss(params: Any, xs: Any, ys: Any) -> Any:
        scores = [model.with_parameters(params)(list(x)) for x in xs]
        return sum((score - y) ** 2 for score, y in zip(scores, ys, strict=True))

    lists = params, xs, ys
    arrays = tuple(map(np.array, lists))
    kernel = loss.value_and_grad
    kernel(*lists)
    kernel(*arrays)
    return {"lists of numbers": (kernel, lists), "arrays": (kernel, arrays)}


LENGTH = 10_000


def containers() -> dict[str, Call]:
    """A fit to an array of 10,000, which is given by itself, in a dict, and in a list."""
    data, p = np.random.default_rng(0).normal(size=LENGTH), np.array([0.5, 2.0])

    def fit(p: Any, x: Any) -> Any:
        return sum((p[0] - xi) ** 2 for xi in x) * p[1]

    held: dict[str, tuple[Any, Any]] = {
        BY_POSITION: (fit, data),
        "array in a dict": (lambda p, x: fit(p, x["data"]), {"data": data}),
        "array in a list": (lambda p, x: fit(p, x[0]), [data]),
    }
    calls: dict[str, Call] = {}
    for name, (function, given) in held.items():
        kernel = gdc.compile(function, wrt="p").value_and_grad
        kernel(p, given)
        calls[name] = kernel, (p, given)
    by_position = calls[BY_POSITION][0]
    return {**calls, FLAT: (partial(by_position.flat, x=data), (p,))}


def moons(name: str, peers: Sequence[str]) -> dict[str, Call]:
    """Two moons: a batched loss of a network, by its 337 parameters."""
    work = make(name)
    kernel = network_loss(work.details).value_and_grad
    params, x, y = given = tuple(work.arrays.values())
    kernel(*given)
    calls: dict[str, Call] = {FRIENDLY: (kernel, given), NJIT: (kernel.njit, given)}
    calls[FLAT] = partial(kernel.flat, x=x, y=y), (params,)
    makers = sides(work)
    return {**calls, **{peer: (makers[peer](), ()) for peer in peers if peer in makers}}


JAX_FLAT, BY_MATRICES, BY_ROWS = f"{JAX}, one flat array", "CasADi, C", "CasADi, C, rows"

RACES = {
    "neuron": Race(
        "neuron, five numbers",
        of_numbers,
        (Bar(FRIENDLY, HAND, 2.0), Bar(NJIT, HAND, 1.15), Bar(FRIENDLY, JAX, 15.0, at_least=True)),
    ),
    "arrays": Race("neuron, arrays of three and a number", of_arrays, (Bar(FRIENDLY, HAND, 2.5),)),
    "lecture": Race(
        "the lecture's network, four rows",
        lecture,
        (Bar("lists of numbers", None, 20e-6), Bar("arrays", None, 2e-6)),
    ),
    "containers": Race(
        "an array of 10,000",
        containers,
        tuple(
            Bar(name, BY_POSITION, 2e-6, above=True)
            for name in ("array in a dict", "array in a list", FLAT)
        ),
    ),
    "moons-1": Race(
        "two moons, ReLU, 1 row",
        partial(moons, "moons-relu-1", (BY_MATRICES,)),
        (Bar(FRIENDLY, BY_MATRICES, 1.2),),
    ),
    "moons-100": Race(
        "two moons, ReLU, 100 rows",
        partial(moons, "moons-relu-100", (JAX_FLAT, BY_ROWS)),
        (Bar(FRIENDLY, JAX_FLAT, 0.15), Bar(FRIENDLY, BY_ROWS, 0.12)),
    ),
}
MAX_LINES = 16


# --- measuring -----------------------------------------------------------------------------------


class DisagreeError(Exception):
    """Two calls have computed different numbers."""


def run(race: Race, turns: int) -> Times:
    """Measure the calls of a race by turns, after looking whether they compute the same.

    Raises:
        DisagreeError: two of them compute different numbers.
    """
    calls = race.calls()
    found = {name: [np.array(list(_numbers(call(*args))))] for name, (call, args) in calls.items()}
    expected = next(iter(found.values()))
    for name, numbers in found.items():
        if difference(numbers, expected) > AGREE:
            raise DisagreeError(f"{race.title}: {name} computes other numbers")
    candidates = {
        name: (call, args, calls_in(call, args, SPAN)) for name, (call, args) in calls.items()
    }
    with collector_off():
        return Times(race.title, by_turns(candidates, turns), race.bars)


def _numbers(found: Any) -> Iterator[float]:
    """The numbers of a value and its derivatives, one after the other."""
    parts = found.values() if isinstance(found, dict) else found
    if isinstance(parts, list | tuple):
        for part in parts:
            yield from _numbers(part)
    else:
        yield from np.asarray(parts, np.float64).ravel()


def compiling(quick: bool) -> Mapping[str, Any]:
    """Measure the neuron from its function to its first result, with an empty cache."""
    found = [in_empty(1, job="build", work="neuron") for _ in range(1 if quick else 5)]
    return {**median(found), "busy": busy()}


def measure(names: Sequence[str], quick: bool, out: Callable[[str], Any]) -> Results:
    """Measure these races, and what the neuron's text and its compiling are like."""
    results = Results()
    try:  # before peers have threads
        results.compiling = compiling(quick)
    except FailedError as error:
        results.failures.append(f"compiling: {error}")
    for name in names:
        times = run(RACES[name], 5 if quick else 201)
        results.times.append(times)
        each = [f"{x} {with_unit(statistics.median(t), 's')}" for x, t in times.seconds.items()]
        out(f"{times.title}: {'; '.join(each)}")
    kernel = gdc.compile(neuron).value_and_grad
    results.lines = len(kernel.source.strip().splitlines())
    return results


# --- the page ------------------------------------------------------------------------------------


def judged(results: Results) -> Iterator[tuple[str, Figure]]:
    """Every figure, under the title of its work."""
    for times in results.times:
        for bar in times.bars:
            if bar.peer is None or bar.peer in times.seconds:
                yield times.title, figure(bar, times.seconds)
    if results.compiling:
        computed = results.compiling["computed"] if results.compiling["busy"] else None
        seconds = results.compiling["seconds"]
        says = "to the first result, empty cache"
        yield "neuron, five numbers", Figure(says, seconds, "s", computed=computed)
    if results.lines is not None:
        yield "neuron, five numbers", Figure("lines of its text", results.lines, "", MAX_LINES)


def figure(bar: Bar, seconds: Mapping[str, list[float]]) -> Figure:
    """What a bar judges, by the times of its race."""
    ours = seconds[bar.ours]
    if bar.peer is None:
        return Figure(bar.ours, statistics.median(ours), "s", bar.bar)
    theirs = seconds[bar.peer]
    if bar.above:
        more = statistics.median([a - b for a, b in zip(ours, theirs, strict=True)])
        return Figure(f"{bar.ours}, above {bar.peer}", max(0.0, more), "s", bar.bar)
    if bar.at_least:
        return Figure(f"{bar.peer} / {bar.ours}", ratio(theirs, ours), "×", bar.bar, at_least=True)
    return Figure(f"{bar.ours} / {bar.peer}", ratio(ours, theirs), "×", bar.bar)


def header(quick: bool) -> list[str]:
    """What was run, and on what kind of machine."""
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    lines = [
        f"`{COMMAND}{' --quick' * quick}`: {os.cpu_count()} cores{load}, {platform.machine()}, "
        f"Python {platform.python_version()}, numpy {np.__version__}."
    ]
    lines += [f"{name} is not installed, so left out." for name in (JAX, "CasADi")
              if not installed(name)]  # fmt: skip
    if not compiler():
        lines.append("There is no C compiler, so CasADi's C is left out.")
    if quick:
        lines.append("Measured briefly: a look at the figures, no judgement.")
    return lines


EXPLANATION = """\
What a call costs where the function does little: the value and the gradient, in float64. Times are
medians of measurements that take turns in one process, which has one core; ratios are medians of
those within a turn. Functions by hand are in `tests/benchmarks/hand.py`: they take and return what
the emitted function does. *gradcompile* is the kernel as a user calls it, `.njit` the emitted
function by numba's dispatcher, `.flat` the kernel on one vector. jax is given arrays of its own,
made beforehand, and CasADi buffers that it reads and writes in place."""


def markdown(results: Results, lines: Sequence[str]) -> str:
    """The page, under the lines that say what was run."""
    parts = ["# What a call costs", "", *lines, "", EXPLANATION, "", "## Bars", ""]
    parts += [*table(results), "", "## Times", ""]
    for times in results.times:
        parts += [f"### {times.title}", "", "| call | one call |", "|---|--:|"]
        for name, taken in times.seconds.items():
            parts.append(f"| {name} | {with_unit(statistics.median(taken), 's')} |")
        parts.append("")
    parts += [f"- Not measured: {failure}" for failure in results.failures]
    return "\n".join(parts).rstrip() + "\n"


def table(results: Results) -> Iterator[str]:
    """The figures with their bars."""
    yield "| work | figure | found | bar | |"
    yield "|---|---|--:|--:|---|"
    before = ""
    for title, one in judged(results):
        shown, before = ("" if title == before else title), title
        yield f"| {shown} | {one.says} | {one.shown} | {one.shown_bar} | {missed_by(one)} |"
    verdicts = [one.verdict for _, one in judged(results)]
    yield ""
    yield f"{verdicts.count('met')} bars are met, {verdicts.count('missed')} are missed."


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each figure; the exit status is 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog=COMMAND, description=__doc__)
    parser.add_argument("--only", metavar="NAME", action="append", choices=RACES, help="one race")
    parser.add_argument("--quick", action="store_true", help="measured briefly")
    parser.add_argument("--out", metavar="FILE.md", type=Path, help="write the page as well")
    given = parser.parse_args(arguments)
    if hasattr(os, "sched_setaffinity"):
        pin(1)
    lines = header(given.quick)
    print("\n".join(lines), flush=True)
    results = measure(given.only or list(RACES), given.quick, partial(print, flush=True))
    print("\n".join(table(results)))
    if given.out is not None:
        given.out.write_text(markdown(results, lines))
    return 1 if any(one.verdict == "missed" for _, one in judged(results)) else 0


if __name__ == "__main__":
    sys.exit(main())
