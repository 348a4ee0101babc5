"""The slopes of a rule: what it multiplies its tangents with, as a program of the arguments."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import numpy as np

from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.nested import Structure
from gradcompile.graph.replay import replay
from gradcompile.graph.trace import trace_function
from gradcompile.graph.users import TraceError
from gradcompile.graph.value import Value
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Operand, Program
from gradcompile.passes import run_passes

POINTS = (0.3, 1.7, -0.8)
"""At some of them a rule is defined."""

Rule = Callable[[Any, Any], Any]
"""Makes the tangent of a function's value from the arguments and their tangents."""


@dataclass(frozen=True, eq=False)
class RuleSlopes:
    """The slopes of a function by its arguments.

    Attributes:
        programs: one a result of the function, from the arguments to the slopes by them.
    """

    programs: tuple[Program, ...]

    def at(self, leaves: Sequence[Value | float]) -> list[list[Value | float]]:
        """Apply the programs to the arguments: for each result a slope by each of them."""
        return [replay(program, leaves) for program in self.programs]


def slopes_of(rule: Rule, name: str, arguments: Structure, value: Structure) -> RuleSlopes:
    """Trace a rule and find what it multiplies the tangents with.

    Args:
        rule: the user's.
        name: of the function that it is for.
        arguments: their structure, that of a tuple.
        value: the structure of what the function returns.

    Raises:
        TypeError: the rule returns something of another structure.
        TraceError: the rule cannot be traced, or is not linear in the tangents.
    """

    def both(primals: Any, tangents: Any) -> list[Any]:
        # With the tangents, so that something is returned that is built from what is given.
        return [rule(primals, tangents), tangents]

    bound = inspect.signature(both).bind(None, None)
    structures = {"primals": arguments, "tangents": arguments}
    traced = trace_function(both, f"the rule of {name}", bound, structures)
    result = traced.result.parts[0]
    if result != value:
        raise TypeError(
            f"{name}: the rule must return the tangent of the value, {value}, and returned {result}"
        )
    # Adjoints of what has a name would be copies with a name.
    unnamed = replace(traced.lowered, names=("",) * len(traced.lowered.names), labels={})
    found = islice(unnamed.program.flat_outputs, result.size)
    tangents = list(found)
    programs = [_slopes(unnamed.program, tangent, arguments.size) for tangent in tangents]
    offset = any(_has_offset(unnamed.program, tangent, arguments.size) for tangent in tangents)
    if offset or None in programs:
        raise TraceError(
            f"{name}: the rule is not linear in the tangents: it may only add them up, multiplied "
            "or divided by what does not depend on them, and add nothing else"
        )
    return RuleSlopes(tuple(x for x in programs if x is not None))


def _slopes(program: Program, tangent: Operand, count: int) -> Program | None:
    """The program of what is multiplied with each tangent; None if that depends on tangents."""
    alone = run_passes(replace(program, outputs=(tangent,)))
    slopes = run_passes(reverse(alone, range(count, 2 * count), keep_value=False))
    tangents = {*slopes.inputs[count:]}
    reads = (x for _, _, operands, _ in slopes.instructions for x in operands)
    if not tangents.isdisjoint(chain(reads, slopes.flat_outputs)):
        return None
    return replace(slopes, inputs=slopes.inputs[:count])


def _has_offset(program: Program, tangent: Operand, count: int) -> bool:
    """Is a tangent another number than 0 where those of the arguments are?"""
    alone = run_passes(replace(program, outputs=(tangent,)))
    for at in POINTS:
        primals = [at + 0.1 * k for k in range(count)]
        found = float(np.ravel(interpret(alone, [*primals, *[0.0] * count]))[0])
        if math.isfinite(found) and found != 0.0:
            return True
    return False
