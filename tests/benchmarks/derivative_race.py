"""What `derivatives.py` measures in a process of its own, printed as one line of JSON.

Run as `python -m tests.benchmarks.derivative_race '{"job": "race", "work": "pollu", "size": 0}'`.
How many cores there are is up to who starts it.
"""

import json
import os
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from tests.benchmarks.contest import AGREE, DisagreeError
from tests.benchmarks.derivative_sides import GRADIENT, OURS, Ready, sides
from tests.benchmarks.process import difference, peak
from tests.benchmarks.timing import by_turns, calls_in, collector_off, ratio

Found = dict[str, Any]

SPAN = 0.001
"""Seconds of calls in a row: short beside the time slices that others get."""

LONG = 0.005
"""A step of so many seconds loses the core to others: there, seconds of a core are compared."""

IMPORTED = {OURS: "numba", "CasADi": "casadi", "jax.jit": "jax"}
"""What is imported before a side is made ready."""


def race(work: str, size: int, seconds: float = 10.0) -> Found:
    """Everybody's seconds to be ready and for one step, the steps by turns.

    Args:
        work: its name.
        size: how large it is.
        seconds: how long to measure, about.
    """
    steps, expected = {}, []
    found: Found = {"ready": {}, "differences": {}, "failed": {}}
    for name, maker in sides(work, size).items():
        try:
            ready, found["ready"][name] = _first(name, maker)
        except Exception as error:  # what a peer cannot do is no reason to measure nothing
            if name == OURS:
                raise
            found["failed"][name] = f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
            continue
        steps[name] = ready.step
        numbers = ready.numbers(ready.step())
        if name == OURS:
            expected, found["lines"] = numbers, _lines(ready)
        elif name != GRADIENT:
            found["differences"][name] = difference(numbers, expected)
            if not found["differences"][name] <= AGREE:
                raise DisagreeError(f"{work}, {name}: {found['differences'][name]:.0e} from ours")
    calls = {name: calls_in(step, (), SPAN) for name, step in steps.items()}
    candidates = {name: (step, (), calls[name]) for name, step in steps.items()}
    turn = _turn(candidates, time.perf_counter)
    clock = time.process_time if turn > LONG * len(steps) else time.perf_counter
    with collector_off():
        taken = by_turns(candidates, max(5, int(seconds / turn)), clock)
    return {
        **found,
        "seconds": {name: statistics.median(times) for name, times in taken.items()},
        "ratios": {name: ratio(taken[OURS], times) for name, times in taken.items()},
        "turns": len(taken[OURS]),
    }


def _turn(candidates: Any, clock: Callable[[], float]) -> float:
    """Seconds that everybody takes for one turn."""
    start = clock()
    by_turns(candidates, 1)
    return clock() - start


def build(work: str, size: int) -> Found:
    """Our seconds to be ready, the length of our text, and the memory that it took."""
    ready, seconds = _first(OURS, sides(work, size)[OURS])
    return {"ready": {OURS: seconds}, "lines": _lines(ready), "peak": peak()}


def proof(work: str, size: int) -> Found:
    """How many of our derivatives are proved, and how many there are."""
    ready = sides(work, size)[OURS]()
    ready.step()
    (kernel,) = ready.kernels
    verdicts = [derivative.verdict for derivative in kernel.verify()]
    return {"proved": verdicts.count("proved"), "of": len(verdicts)}


def _first(name: str, maker: Callable[[], Ready]) -> tuple[Ready, float]:
    """A side, and the seconds of a core that it took to be ready and to compute once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a peer, which are not ours to judge
        __import__(IMPORTED.get(name.partition(",")[0], "numba"))
        start = _core_seconds()
        ready = maker()
        ready.step()
        return ready, _core_seconds() - start


def _core_seconds() -> float:
    """The seconds that this process, and the compilers that it has started, had a core."""
    return sum(os.times()[:4])


def _lines(ready: Ready) -> list[int]:
    """How long the text of each of our kernels is."""
    return [len(kernel.source.splitlines()) for kernel in ready.kernels]


JOBS: dict[str, Callable[..., Found]] = {job.__name__: job for job in (race, build, proof)}


def main() -> None:
    """Run the job that the command line describes, and print what it found."""
    given = json.loads(sys.argv[1])
    print(json.dumps(JOBS[given.pop("job")](**given)))


if __name__ == "__main__":
    main()
