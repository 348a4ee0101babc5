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

from collections.abc import Callable, Sequence
from functools import partial

from gradcompile.graph.endings import is_raised, line_of_return
from gradcompile.graph.joins import Join, in_order
from gradcompile.graph.numbering import Numbering
from gradcompile.graph.runs import Outcome, Run, too_many
from gradcompile.graph.users import TraceError


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
        runs.append(Run(numbering, told, limit).go(call))
        if len(runs[-1].truths) < len(told):
            raise _changed(runs[-2].forks[len(runs[-1].truths)].line)
        # Sorting asks both ways round whether numbers are equal: ties are counted by themselves.
        alike = [run for run in runs if run.is_tie is runs[-1].is_tie]
        if len(alike) > limit:
            raise too_many([fork for run in runs for fork in run.forks[-1:]], limit)
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
        raise _changed(fork.line)
    left, right = (_joined(numbering, half, depth + 1, lines) for half in (holds, fails))
    if left is None and right is None:
        return None
    join = Join(fork, numbering, lines)
    if left is None or right is None:
        (outcome,) = (side for side in (left, right) if side is not None)
        return outcome._replace(outputs=join.valid(outcome.outputs, where=right is None))
    return left._replace(outputs=list(map(join, left.outputs, right.outputs)))


def _changed(line: str) -> TraceError:
    return TraceError(
        f"{line}: another condition is asked for when the function is run again with the same "
        "arguments; it has to compute the same each time"
    )


def _require_results(runs: Sequence[Run]) -> None:
    """Require that some way returns, and that the others raise errors by a statement.

    What else raises an error, such as an operation on wrong types, is a fault of the function.
    """
    failed = [(run, run.error) for run in runs if run.error is not None]
    for run, error in failed:
        if len(failed) == len(runs):
            raise error
        if not run.is_for_nan and not is_raised(error):
            kind = type(error).__name__
            raise TraceError(
                f"{run.way}, the function stops with {kind} ({error!s:.100})"
            ) from error


def _require_one_structure(runs: Sequence[Run], call: Callable[[], Outcome], limit: int) -> None:
    """Require that all ways return one structure; keys of dicts may have another order."""
    first = next(run for run in runs if run.returned is not None)
    assert first.returned is not None
    expected = first.returned.structure
    for run in runs:
        if run.returned is None or run.returned.structure == expected:
            continue
        outputs = in_order(run.returned.outputs, run.returned.structure, expected)
        if outputs is not None:
            run.returned = Outcome(outputs, expected)
        elif run.is_for_nan:
            run.returned = None
        else:
            one, other = (
                line_of_return(partial(Run(Numbering(), way.truths, limit).go, call))
                for way in (first, run)
            )
            raise TraceError(
                f"{other}: the function returns {run.returned.structure} there, and {expected} at "
                f"{one}; return the same structure on both ways"
            )
