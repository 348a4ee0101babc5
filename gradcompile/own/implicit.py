"""Roots of a residual: functions that are given by an equation, F(y, x) = 0.

Newton's steps find the root, and the implicit function theorem its slopes: dy/dx = -F_x / F_y. The
last two steps are written so that their text has these very slopes, y = y0 - F(y0, x) / F_y(y0, x)
with y0 and F_y taken for constants: so they can be verified, whether or not the steps before have
converged. The first derivative is that at the root before the last step, the second derivative that
of the first one, which needs the step before it.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.arrays import value_array
from gradcompile.graph.elimination import solve
from gradcompile.graph.nested import Structure, flatten, unflatten
from gradcompile.graph.replay import replay
from gradcompile.graph.trace import trace_function
from gradcompile.graph.value import Value
from gradcompile.ir.program import Program
from gradcompile.ops.op import array_of
from gradcompile.ops.opaque import opaque_op
from gradcompile.ops.table import add, div, neg, stop_gradient
from gradcompile.ops.unwritten import held
from gradcompile.own.slopes import MAX_ORDER, is_value, with_slopes
from gradcompile.passes import run_passes

Number = Value | float

LAST_STEPS = 2
"""Steps with slopes: so many times the derivative of the text is that of the root."""


class Implicit:
    """A root of a residual; what `gdc.implicit` returns.

    Attributes:
        residual: what is zero at the root.
        start: where Newton's steps begin, or what makes that of the arguments.
        steps: how many there are.
    """

    def __init__(self, residual: Callable[..., Any], start: Any, steps: int) -> None:
        self.__name__ = getattr(residual, "__name__", None) or repr(residual)
        self.residual = residual
        # What numba has compiled cannot be traced.
        self.start = opaque_op(start) if hasattr(start, "py_func") else start
        self.steps = steps
        self._equations: dict[tuple[Structure, Structure], _Equations] = {}

    def __call__(self, *args: Any) -> Any:
        """Find the root for these arguments; of Values it has the slopes of the root."""
        leaves, arguments = flatten(args, is_leaf=is_value)
        constant = [held(x) if is_value(x) else x for x in leaves]
        start = self.start
        if callable(start):
            start = start(*unflatten(arguments, constant, _array))
        root, structure = flatten(start, is_leaf=is_value)
        equations = self._at(structure, arguments)
        is_known = not any(map(is_value, leaves))
        last = 0 if is_known else min(self.steps, LAST_STEPS)
        for _ in range(self.steps - last):
            root = equations.stepped(root, constant)
        if not is_known:
            root = equations.with_last_steps(root, leaves, constant, last)
        return unflatten(structure, root, _array)

    def _at(self, root: Structure, arguments: Structure) -> "_Equations":
        known = self._equations.get((root, arguments))
        if known is None:
            known = _equations(self.residual, self.__name__, root, arguments)
            self._equations[root, arguments] = known
        return known

    def __repr__(self) -> str:
        return f"<implicit {self.__name__}>"


def implicit(residual: Any, *, start: Any, steps: int = 8) -> Implicit:
    """Make the function that is given by an equation: `residual(y, *args) = 0`.

    Args:
        residual: of the root and the arguments; it returns as many numbers as the root has, each 0
            at the root. It is traced.
        start: where Newton's method begins: a number, or a list, tuple, dict, record or array of
            numbers, as the root is; or a function of the arguments that makes one. That may be a
            solver of your own, also one that numba compiled, after which two steps are enough.
        steps: the number of Newton's steps, 1 or more. First derivatives are those at the root
            before the last step, second derivatives those at the root before that.

    Returns:
        A function of the arguments that gives the root. It may be called with numbers, with
        Values, and in functions that are traced; its derivatives, of any order up to 4, are those
        of the root.

    Raises:
        TypeError: the residual is no function, or the number of steps no int.
        ValueError: there is no step.

    Example:
        >>> import gradcompile as gdc
        >>> cube_root = implicit(lambda y, x: y * y * y - x, start=lambda x: 1.0 + x / 3.0)
        >>> gdc.compile(lambda x: cube_root(x)).value_and_grad(8.0)
        (2.0, Gradient(x=0.08333333333333333))
    """
    if not callable(residual):
        kind = type(residual).__name__
        raise TypeError(f"implicit: residual: expected a function, got {kind} {residual!r:.60}")
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer):
        raise TypeError(f"implicit: steps: expected an int, got {type(steps).__name__} {steps!r}")
    if steps < 1:
        raise ValueError(f"implicit: steps: expected 1 or more, got {steps}")
    return Implicit(residual, start, int(steps))


class _At(NamedTuple):
    """A residual at a point, and its slopes: a row for each equation."""

    values: list[Number]
    slopes: list[list[Number]]


@dataclass(frozen=True, eq=False)
class _Equations:
    """A residual with its slopes, as programs of the root and the arguments, one an equation."""

    by_root: tuple[Program, ...]
    by_arguments: tuple[Program, ...]

    def stepped(self, root: Sequence[Number], leaves: Sequence[Number]) -> list[Number]:
        """Make a step of Newton's."""
        at = self._at(self.by_root, root, leaves)
        return _improved(root, at.slopes, at.values)

    def with_last_steps(
        self, root: Sequence[Number], leaves: Sequence[Number], constant: list[Number], count: int
    ) -> list[Number]:
        """Make the last steps: each gives a root with the slopes at the root before.

        Args:
            root: before these steps.
            leaves: the arguments.
            constant: the arguments as derivatives take them for constants.
            count: how many steps.
        """
        fixed: list[Number] = [stop_gradient(y) for y in root]
        slopes: list[list[Number]] = [[math.nan] * len(leaves) for _ in root]
        for _ in range(MAX_ORDER - count):  # of one root: each gives derivatives of one order more
            slopes = self._slopes(_all_sloped(fixed, leaves, slopes), leaves)
        sloped = _all_sloped(fixed, leaves, slopes)
        for _ in range(count):
            slopes = self._slopes(sloped, leaves)
            at = self._at(self.by_root, fixed, constant)
            rows = [[stop_gradient(s) for s in row] for row in at.slopes]
            root = _improved(fixed, rows, at.values)
            sloped = _all_sloped(root, leaves, slopes)
            fixed = [stop_gradient(y) for y in root]
        return sloped

    def _slopes(self, root: Sequence[Number], leaves: Sequence[Number]) -> list[list[Number]]:
        """Give the slopes of the root by the arguments: for each part of it one by each."""
        by_root = self._at(self.by_root, root, leaves).slopes
        by_arguments = self._at(self.by_arguments, root, leaves).slopes
        return _solved(by_root, [[neg(s) for s in row] for row in by_arguments])

    def _at(
        self, programs: Sequence[Program], root: Sequence[Number], leaves: Sequence[Number]
    ) -> _At:
        found = [replay(program, [*root, *leaves]) for program in programs]
        return _At([value for value, *_ in found], [slopes for _, *slopes in found])


def _equations(
    residual: Callable[..., Any], name: str, root: Structure, arguments: Structure
) -> _Equations:
    def both(y: Any, args: Any) -> Any:
        return residual(y, *args)

    bound = inspect.signature(both).bind(None, None)
    traced = trace_function(both, name, bound, {"y": root, "args": arguments})
    if traced.result.size != root.size:
        raise ValueError(
            f"implicit: {name}: expected {root.size} numbers, as many as the root has, "
            f"got {traced.result.size}"
        )
    if not traced.is_read[: root.size].any():
        raise ValueError(f"implicit: {name}: the residual does not depend on the root")
    # Adjoints of what has a name would be copies with a name.
    unnamed = replace(traced.lowered, names=("",) * len(traced.lowered.names), labels={})
    whole = unnamed.program
    each = [run_passes(replace(whole, outputs=(output,))) for output in whole.flat_outputs]
    count = len(whole.inputs)

    def by(places: range) -> tuple[Program, ...]:
        return tuple(run_passes(reverse(program, places)) for program in each)

    return _Equations(by(range(root.size)), by(range(root.size, count)))


def _improved(
    root: Sequence[Number], slopes: list[list[Number]], values: Sequence[Number]
) -> list[Number]:
    changes = _solved(slopes, [[neg(value)] for value in values])
    return [add(y, change) for y, (change,) in zip(root, changes, strict=True)]


def _all_sloped(
    root: Sequence[Number], leaves: Sequence[Number], slopes: Sequence[Sequence[Number]]
) -> list[Number]:
    return [with_slopes(y, leaves, by) for y, by in zip(root, slopes, strict=True)]


def _solved(matrix: list[list[Number]], right: list[list[Number]]) -> list[list[Number]]:
    """Solve linear systems of equations, one a column on the right."""
    if len(matrix) == 1:
        return [[div(x, matrix[0][0]) for x in right[0]]]
    found: list[list[Number]] = solve(np.array(matrix, object), np.array(right, object)).tolist()
    return found


def _array(items: list[Any], shape: tuple[int, ...]) -> Any:
    return array_of(value_array(items, shape))
