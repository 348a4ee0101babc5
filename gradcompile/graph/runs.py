"""One run of a function that branches: what it is told, and what comes of it."""

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

from gradcompile.graph import bindings
from gradcompile.graph.joins import Fork
from gradcompile.graph.nested import Structure
from gradcompile.graph.numbering import Made, Numbering, site_of
from gradcompile.graph.orderings import Orderings, is_comparison
from gradcompile.graph.users import TraceError, user_line
from gradcompile.graph.value import DECIDE, MADE, TracedValue, Value


class Outcome(NamedTuple):
    """What a function returned: its values, one by one, and their structure."""

    outputs: list[Value]
    structure: Structure


class UnbuiltError(TraceError):
    """The function returned something that is no value."""


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
        self._orderings = Orderings()

    @property
    def is_for_nan(self) -> bool:
        """Tell whether the conditions contradict, so that only nan comes this way."""
        return self._orderings.are_of_nan

    @property
    def is_tie(self) -> bool:
        """Tell whether only equal numbers come this way, or nan."""
        return self._orderings.are_tied

    @property
    def way(self) -> str:
        """The last branch, and where it went, in words."""
        return f"{self.forks[-1].line}: where this is {str(self.truths[-1]).lower()}"

    def go(self, call: Callable[[], Outcome]) -> "Run":
        """Call the function once.

        Raises:
            TraceError: it cannot be traced; or it does not ask for what it was to be told.
        """
        self._watched = MADE.get()
        made, decide = MADE.set(self._watched), DECIDE.set(self._decide)
        try:
            self.returned = call()
        except Exception as error:
            is_traced = not isinstance(error, TraceError) or self.is_for_nan
            if not (self.forks and is_traced):
                self._tell_the_way(error)
                raise
            self.error = error
        finally:
            MADE.reset(made)
            DECIDE.reset(decide)
        return self

    def _tell_the_way(self, error: Exception) -> None:
        """Say on which way nothing is returned; other errors name their lines."""
        if isinstance(error, UnbuiltError) and self.forks:
            raise TraceError(f"{self.way}, {error}") from None

    def _decide(self, condition: TracedValue) -> bool:
        """Tell whether a condition holds in this run; if nothing tells, the function branches."""
        number = self._numbering.number(condition)
        if number not in self._known:
            self._known[number] = self._found(condition)
        return self._known[number]

    def _found(self, condition: TracedValue) -> bool:
        """Find the truth of a condition that is asked for first."""
        if condition.op is None or not is_comparison(condition.op):
            return self._fork(condition)
        a, b = map(self._numbering.number, condition.operands)
        truth = self._orderings.truth(condition.op, a, b)
        if truth is None:
            truth = self._fork(condition)
            self._orderings.note(condition.op, a, b, truth)
        return truth

    def _fork(self, condition: TracedValue) -> bool:
        """Go one of the two ways."""
        # So many branches one after the other are at least so many ways, and one more.
        if len(self.forks) >= self._limit - 1:
            raise too_many(self.forks, self._limit)
        if not self.forks:
            MADE.set(self._note)  # no value before the first branch is looked for
        # In `y = max(a, b)`, it is the maximum that is y, and not what was compared to find it.
        if condition.bound == bindings.binding(sys._getframe(4)):
            condition.bound = ""
        order = next(self._order)
        self.forks.append(Fork(condition, order, site_of(sys._getframe(1)), user_line()))
        place = len(self.truths)
        self.truths.append(self.told[place] if place < len(self.told) else True)
        return self.truths[-1]

    def _note(self, value: TracedValue) -> None:
        if self._watched is not None:
            self._watched(value)
        self._numbering.note(value, Made(next(self._order), site_of(sys._getframe(1))))


def too_many(forks: Sequence[Fork], limit: int) -> TraceError:
    """The error for a function that branches more often than it may."""
    lines = Counter(fork.line for fork in forks).most_common(3)
    often = "; ".join(f"{line} ({times} times)" for line, times in lines)
    return TraceError(
        f"{often}: the function branches into more than {limit} ways; use gdc.where, gdc.maximum "
        "or numpy's functions there, repeat what is repeated a known number of times, or give "
        "compile a larger `branches=`"
    )
