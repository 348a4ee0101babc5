"""What a comparison with peers measures in a process of its own, printed as one line of JSON.

Run by `peers.py`: `python -m tests.benchmarks.contest '{"job": "race", "work": "mlp"}'`. How many
cores there are is up to who starts it.
"""

import gc
import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcompile.batch.threads import cores
from tests.benchmarks.process import Clock, difference
from tests.benchmarks.rows import FLAT, Step, Work, make
from tests.benchmarks.timing import Candidate, calls_in, collector_off, ratio
from tests.benchmarks.timing import seconds as measure

Found = dict[str, Any]

AGREE = 1e-9
"""No side is measured before its value and its derivatives are known to be those of the others."""

SPAN = 0.001
PAUSE = 0.05
"""Seconds before each measurement where there are more cores than one: the threads of others wait
for work by looking for it all the time, at first, and would take a core from whoever comes next."""

LONG_SPAN = 0.02
"""Seconds of calls in a row after such a pause, in which the cores have gone to sleep."""

SLOW = {"micrograd"}
"""So slow that it has turns of its own, and few."""

CACHE = 2**23
"""Bytes that are hardly kept in a core's own cache."""

PEAK, READ = "peak", "read"


class DisagreeError(Exception):
    """Two sides have computed different numbers."""


# --- everybody -----------------------------------------------------------------------------------


def race(
    work: str,
    quick: bool = False,
    only: list[str] | None = None,
    seconds: float = 12.0,
    limits: bool = False,
) -> Found:
    """Everybody's time for one step, measured by turns.

    Args:
        work: its name.
        quick: a smaller work, without torch.compile, which takes long to be ready.
        only: these peers alone.
        seconds: how long to measure, about.
        limits: measure multiply-adds and memory by the same turns.
    """
    from tests.benchmarks.sides import numbers, sides

    made = make(work, quick)
    ours = made.ours(made.arrays)
    expected = numbers(ours[FLAT]())
    steps, first, failed, differences = dict(ours), {}, {}, {}
    for name, maker in sides(made).items():
        if (only and name not in only) or (quick and name.startswith("torch.compile")):
            continue
        try:
            step, first[name] = _first(name, maker)
        except Exception as error:  # what a peer cannot do is no reason to measure nothing
            failed[name] = f"{type(error).__name__}: {str(error).splitlines()[0][:100]}"
            continue
        differences[name] = difference(numbers(step()), expected)
        if differences[name] > AGREE:
            raise DisagreeError(f"{work}, {name}: {differences[name]:.0e} from gradcompile")
        steps[name] = step
    for step in steps.values():
        step()  # some compile at their first call
    amounts = _limits(made, steps) if limits else {}
    found = _measured(steps, seconds)
    return {
        "title": made.title,
        "rows": made.rows,
        "first": first,
        "failed": failed,
        "differences": differences,
        **found,
        "fractions": _fractions(made, found["ratios"], amounts),
    }


def _first(name: str, maker: Callable[[], Step]) -> tuple[Step, float]:
    """What computes a step, and the seconds it took to be ready and to compute the first."""
    from tests.benchmarks.sides import MODULES

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a peer, which are not ours to judge
        module = MODULES.get(name.partition(",")[0].replace("torch.compile", "torch"))
        if module:
            __import__(module)
        start = time.perf_counter()
        step = maker()
        step()
        return step, time.perf_counter() - start


def _measured(steps: Mapping[str, Step], seconds: float) -> Found:
    """Medians, and the medians of what a step of ours takes of each other's time."""
    fast = {name: step for name, step in steps.items() if name not in SLOW}
    slow = {name: step for name, step in steps.items() if name in SLOW or name == FLAT}
    with collector_off():
        times = _turns(fast, seconds, time.perf_counter)
    found = {
        "seconds": {name: statistics.median(taken) for name, taken in times.items()},
        "ratios": {name: ratio(times[FLAT], taken) for name, taken in times.items()},
        "turns": len(times[FLAT]),
    }
    if len(slow) > 1:
        # A step of a second loses the core to others, one of microseconds does not: seconds of a
        # core are fair to both.
        times = _turns(slow, 0.0, time.process_time)
        for name in slow.keys() - {FLAT}:
            found["seconds"][name] = statistics.median(times[name])
            found["ratios"][name] = ratio(times[FLAT], times[name])
    return found


def _turns(
    steps: Mapping[str, Step], seconds: float, clock: Callable[[], float]
) -> dict[str, list[float]]:
    candidates: dict[str, Candidate] = {
        name: (step, (), calls_in(step, (), SPAN if cores() == 1 else LONG_SPAN))
        for name, step in steps.items()
    }
    start = time.perf_counter()
    turns, found = 5, [_turn(candidates, clock, 0)]
    turns = max(turns, min(101, int(seconds / (time.perf_counter() - start))))
    found += [_turn(candidates, clock, number) for number in range(1, turns)]
    return {name: [turn[name] for turn in found] for name in candidates}


def _turn(
    candidates: Mapping[str, Candidate], clock: Callable[[], float], number: int
) -> dict[str, float]:
    """Seconds a call of each; some before are not measured, as others have used the caches.

    Each turn begins with another candidate and every second goes backwards, so that nobody always
    comes after the same one.
    """
    found = {}
    pause = PAUSE if cores() > 1 else 0.0
    order = list(candidates)
    first = number % len(order)
    for name in [*order[first:], *order[:first]][:: -1 if number % 2 else 1]:
        step, args, calls = candidates[name]
        if calls > 1 or pause:
            time.sleep(pause)
            measure(step, args, max(1, calls // 4), clock)
        found[name] = measure(step, args, calls, clock)
    return found


def _limits(work: Work, steps: dict[str, Step]) -> dict[str, float]:
    """Let the limits of the core take part, each with how much a step of it does."""
    from tests.benchmarks.ceiling import Peak, memory

    amounts = {}
    if work.fmas:
        peak = Peak()
        steps[PEAK], amounts[PEAK] = peak, float(peak.per_run)
    if work.traffic > CACHE:  # a small work would find its caches empty after that
        steps[READ], amounts[READ], _, _ = memory()
    return amounts


def _fractions(work: Work, ratios: dict[str, float], amounts: dict[str, float]) -> Found:
    """How much of what the core can do at most a step of ours does."""
    needs = {PEAK: work.fmas, READ: work.traffic}
    return {name: needs[name] / (amount * ratios[name]) for name, amount in amounts.items()}


# --- us ------------------------------------------------------------------------------------------


def build(work: str, quick: bool = False) -> Found:
    """How long it takes from a function to its first result."""
    made = make(work, quick)
    clock = Clock()
    made.ours(made.arrays)
    return clock.read()


def memory(work: str, quick: bool = False) -> Found:
    """How much more memory a step needs at its worst than there was before it."""
    made = make(work, quick)
    few = {name: a if name == "params" else a[:100] for name, a in made.arrays.items()}
    made.ours(few)[FLAT]()  # so that compiling is done
    step = _step(made)
    gc.collect()
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")  # forget the largest size that there was
        before = _status("VmRSS")
        found = step()
        extra = _status("VmHWM") - before
    except OSError:  # only Linux tells
        return {"title": made.title, "extra": None, "outputs": 0}
    return {"title": made.title, "extra": extra, "outputs": _bytes(found)}


def _step(work: Work) -> Step:
    """A step on all rows, without any call before that it could have kept something of."""
    if work.topic == "black_scholes":
        return work.ours(work.arrays)[FLAT]
    few = {name: a if name == "params" else a[:2] for name, a in work.arrays.items()}
    from tests.benchmarks.rows import network_loss

    kernel = network_loss(work.details).value_and_grad
    kernel(*few.values())
    params, x, y = work.arrays.values()
    return lambda: kernel.flat(params, x=x, y=y)


def _status(name: str) -> int:
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def _bytes(found: Any) -> int:
    parts = found if isinstance(found, tuple | list) else [found]
    if isinstance(found, np.ndarray):
        return found.nbytes
    return sum(map(_bytes, parts)) if isinstance(found, tuple | list) else 8


def limits() -> Found:
    """What the core can do at most."""
    from tests.benchmarks.ceiling import ceiling

    return ceiling()


JOBS: dict[str, Callable[..., Found]] = {job.__name__: job for job in (race, build, memory, limits)}


def main() -> None:
    """Run the job that the command line describes, and print what it found."""
    given = json.loads(sys.argv[1])
    print(json.dumps(JOBS[given.pop("job")](**given)))


if __name__ == "__main__":
    main()
