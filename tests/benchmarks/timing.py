"""How long calls take, side by side, on machines that others use as well."""

import gc
import itertools
import math
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Candidate = tuple[Callable[..., Any], tuple[Any, ...], int]
"""What to call, with which arguments, and how many times in a row."""


@contextmanager
def collector_off() -> Iterator[None]:
    """Measure without the garbage collector, which works afterwards as it did before."""
    before = gc.isenabled()
    gc.collect()
    gc.freeze()  # what exists is of no further use to the graphs that are measured
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if before:
            gc.enable()


def seconds(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    calls: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """Seconds a call, over some calls."""
    start = clock()
    for _ in itertools.repeat(None, calls):
        function(*args)
    return (clock() - start) / calls


def calls_in(function: Callable[..., Any], args: tuple[Any, ...], span: float) -> int:
    """How many calls take about so many seconds, at least one."""
    calls = 1
    while (taken := seconds(function, args, calls)) * calls < span / 2 and calls < 10**6:
        calls *= 2
    return max(1, round(span / taken))


def by_turns(
    candidates: Mapping[str, Candidate],
    turns: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds a call of each candidate, one measurement a turn.

    Each turn begins with another candidate, so that nobody is always the first one.
    """
    found: dict[str, list[float]] = {name: [] for name in candidates}
    order = list(candidates)
    for turn in range(turns):
        first = turn % len(order)
        for name in [*order[first:], *order[:first]]:
            found[name].append(seconds(*candidates[name], clock))
    return found


def ratio(above: list[float], below: list[float]) -> float:
    """The median of the ratios of the turns: what slows down a whole turn does not count."""
    return statistics.median([a / b for a, b in zip(above, below, strict=True)])


def medians(
    candidates: Mapping[str, Candidate], rounds: int = 7, repeats: int = 41
) -> dict[str, float]:
    """The best of several medians for each candidate, measured by turns.

    A shared machine is slower for a while, for all of them alike; so the turns, and so the best.
    One measurement is short beside the time slices that others get.
    """
    best = dict.fromkeys(candidates, math.inf)
    for _ in range(rounds):
        found = by_turns(candidates, repeats)
        best = {name: min(best[name], statistics.median(found[name])) for name in candidates}
    return best
