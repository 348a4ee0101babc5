"""Both ways of every branch: a function is run once for each, the results are joined by `where`.

A traced condition has no truth yet. Where a function asks for one (`if`, `while`, `and`, `max`,
`sorted`, in its own code or in a library's), it is told "true"; later it is run again, and told
"false" there. The runs are the leaves of a tree of decisions, and their results are joined from the
leaves up:

    def f(x):                           run 1, x > 0:        run 2, x > 0 is false:
        y = 2 * x if x > 0 else -x          y = 2 * x            y = -x
        return exp(y)                       exp(y)               exp(y)

Both runs come to `exp` by the same instruction, after they parted. So what they return is not
joined, but what `exp` is applied to: `exp(where(x > 0, 2 * x, -x))`. A join sinks to where the ways
differ, and what comes after a branch is computed once.
"""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import count
from typing import NamedTuple

from gradcompile.graph import bindings
from gradcompile.graph.endings import is_raised, line_of_return
from gradcompile.graph.joins import Fork, Join
from gradcompile.graph.nested import Structure
from gradcompile.graph.numbering import Made, Numbering, site_of
from gradcompile.graph.users import TraceError, user_line
from gradcompile.graph.value import DECIDE, MADE, TracedValue, Value


class Outcome(NamedTuple):
    """What a function returned: its values, one by one, and their structure."""

    outputs: list[Value]
    structure: Structure


class Run:
    """One run of a function: what it is told where it branches, and what comes of it.

    Attributes:
        told: the truths of the conditions that it asks for; further ones are true.
        truths: what it was told.
        forks: where, one for each of `truths`.
        returned: what it returned.
        error: what it raised instead.
    """

    def __init__(self, numbering: Numbering, told: Sequence[bool], limit: int) -> None:
        self.told = told
        self.truths: list[bool] = []
        self.forks: list[Fork] = []
        self.returned: Outcome | None = None
        self.error: Exception | None = None
        self._numbering = numbering
        self._limit = limit
        self._order = count()
        self._known: dict[int, bool] = {}

    def go(self, call: Callable[[], Outcome]) -> "Run":
        """Call the function once."""
        self._watched = MADE.get()
        made, decide = MADE.set(self._watched), DECIDE.set(self._decide)
        try:
            self.returned = call()
        except TraceError:
            raise
        except Exception as error:
            if not self.forks:
                raise
            self.error = error
        finally:
            MADE.reset(made)
            DECIDE.reset(decide)
        return self

    def _decide(self, condition: TracedValue) -> bool:
        """Tell whether a condition holds in this run; one that is asked for first is a branch."""
        number = self._numbering.number(condition)
        if number not in self._known:
            self._fork(condition)
            self._known[number] = self.truths[-1]
        return self._known[number]

    def _fork(self, condition: TracedValue) -> None:
        # So many branches one after the other are at least so many ways, and one more.
        if len(self.forks) >= self._limit - 1:
            raise _too_many(self.forks, self._limit)
        if not self.forks:
            MADE.set(self._note)  # no value before the first branch is looked for
        # In `y = max(a, b)`, it is the maximum that is y, and not what was compared to find it.
        if condition.bound == bindings.binding(sys._getframe(2)):
            condition.bound = ""
        order = next(self._order)
        self.forks.append(Fork(condition, order, site_of(sys._getframe(1)), user_line()))
        place = len(self.truths)
        self.truths.append(self.told[place] if place < len(self.told) else True)

    def _note(self, value: TracedValue) -> None:
        if self._watched is not None:
            self._watched(value)
        self._numbering.note(value, Made(next(self._order), site_of(sys._getframe(1))))


def traced_ways(call: Callable[[], Outcome], limit: int, lines: dict[int, str]) -> Outcome:
    """Trace a function along every way that it can go, and join the results.

    Args:
        call: calls the function, and reads what it returns.
        limit: so many ways it may go, at most.
        lines: where traced values were made, by their ids, if that is recorded.

    Raises:
        TraceError: it can go more ways; one of them stops with an error that no statement raises,
            or returns another structure than the others.
    """
    numbering = Numbering()
    runs: list[Run] = []
    told: list[bool] | None = []
    while told is not None:
        if len(runs) == limit:
            raise _too_many([fork for run in runs for fork in run.forks[-1:]], limit)
        runs.append(Run(numbering, told, limit).go(call))
        told = _next(runs[-1].truths)
    _require_results(runs)
    _require_one_structure(runs, call, limit)
    outcome = _joined(numbering, runs, 0, lines)
    assert outcome is not None  # some way returns
    return outcome


def _next(truths: Sequence[bool]) -> list[bool] | None:
    """What the next run is told: where this one was last told "true", "false"; None if never."""
    last = max((place for place, truth in enumerate(truths) if truth), default=None)
    return None if last is None else [*truths[:last], False]


def _joined(
    numbering: Numbering, runs: Sequence[Run], depth: int, lines: dict[int, str]
) -> Outcome | None:
    """Join the results of runs that were told the same at the first forks, as many as `depth`.

    It is None where all of them raise errors. Where only some do, the result is multiplied by nan,
    so that derivatives are nan as well.
    """
    (first, *others) = runs
    if not others:
        return first.returned
    holds = [run for run in runs if run.truths[depth]]
    fails = [run for run in runs if not run.truths[depth]]
    fork = first.forks[depth]
    if numbering.number(fork.condition) != numbering.number(fails[0].forks[depth].condition):
        raise TraceError(
            f"{fork.line}: another condition is asked for when the function is run again with the "
            "same arguments; it has to compute the same each time"
        )
    left, right = (_joined(numbering, half, depth + 1, lines) for half in (holds, fails))
    if left is None and right is None:
        return None
    join = Join(fork, numbering, lines)
    if left is None or right is None:
        (outcome,) = (side for side in (left, right) if side is not None)
        return outcome._replace(outputs=join.valid(outcome.outputs, where=right is None))
    return left._replace(outputs=list(map(join, left.outputs, right.outputs)))


def _require_results(runs: Sequence[Run]) -> None:
    """Require that some way returns, and that the others raise errors by a statement.

    What else raises an error, such as an operation on wrong types, is a fault of the function.
    """
    failed = [(run, run.error) for run in runs if run.error is not None]
    for run, error in failed:
        if len(failed) == len(runs):
            raise error
        if not is_raised(error):
            raise TraceError(
                f"{run.forks[-1].line}: where this is {str(run.truths[-1]).lower()}, the function "
                f"stops with {type(error).__name__} ({error!s:.100})"
            ) from error


def _require_one_structure(runs: Sequence[Run], call: Callable[[], Outcome], limit: int) -> None:
    returned = [(run, run.returned.structure) for run in runs if run.returned is not None]
    first, expected = returned[0]
    for run, structure in returned:
        if structure != expected:
            one, other = (
                line_of_return(partial(Run(Numbering(), way.truths, limit).go, call))
                for way in (first, run)
            )
            raise TraceError(
                f"{other}: the function returns {structure} there, and {expected} at {one}; "
                "return the same structure on both ways"
            )


def _too_many(forks: Sequence[Fork], limit: int) -> TraceError:
    lines = Counter(fork.line for fork in forks).most_common(3)
    often = "; ".join(f"{line} ({times} times)" for line, times in lines)
    return TraceError(
        f"{often}: the function branches into more than {limit} ways; use gdc.where, gdc.maximum "
        "or numpy's functions there, repeat what is repeated a known number of times, or give "
        "compile a larger `branches=`"
    )
