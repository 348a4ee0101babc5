"""Expressions of emitted text over numbers of many digits.

With verify/symbols.py, the only module that imports mpmath. The numbers belong to a context of
their own, whose precision never changes: mpmath's global one is everybody's.
"""

import ast
import operator
from collections.abc import Mapping
from functools import partial
from typing import Any

import mpmath

from gradcompile.ops import table
from gradcompile.ops.syntax import ExpressionCode, code, evaluate, parse
from gradcompile.verify.algebras import ARITHMETIC, Functions, Number, lifted, shared

DIGITS = 50
"""Digits to which a derivative that is not proved is confirmed."""

WORKING_DIGITS = 300
"""Digits of the numbers."""

_CONTEXT = mpmath.mp.clone()
_CONTEXT.dps = WORKING_DIGITS

number = _CONTEXT.mpf
"""Makes a number of many digits."""

STEP = number(10) ** -60
"""The relative step of the differences: with 300 digits they are right to about 60."""

ROUNDING = number(10) ** (5 - WORKING_DIGITS)
"""More than what rounding makes of a number, as a part of it."""

JUMP = number(10) ** -20
"""What changes by more than this over a step does not change smoothly."""

MODERATE = number(10) ** 40
"""Results that are larger, or smaller than its inverse, leave too few digits to differences."""

NO_REAL_VALUE = (ArithmeticError, ValueError, TypeError, AttributeError)
"""What mpmath raises where a function has no real value; some of its functions ask a complex number
for what only real ones have."""

MAX_ORDER = 170
"""The highest order of a polygamma: for more, emitted text gives nan, and mpmath takes minutes."""

CONSTANTS = {"inf": _CONTEXT.inf, "nan": _CONTEXT.nan}
"""The names that emitted text may use for numbers."""


def stop_gradient(x: Any) -> Any:
    """Give back a number; `slopes` holds it."""
    return x


def _polygamma(context: Any, order: Any, x: Any) -> Any:
    if not -1 < order <= MAX_ORDER:
        raise ValueError("a polygamma of an order that emitted text does not compute")
    return context.psi(order, x)


def algebra(context: Any) -> tuple[Functions, Number]:
    """Make the operations on the numbers of a context of mpmath, and what makes its numbers.

    A number of the text is taken exactly, or as the constant that it is the nearest float to.
    """

    def precise(x: float) -> Any:
        if x in table.CONSTANTS:
            return evaluate(parse(table.CONSTANTS[x]), {"pi": +context.pi}, functions, context.mpf)
        return context.mpf(x)

    base = {
        **ARITHMETIC,
        "greater": operator.gt, "greater_equal": operator.ge,
        "less": operator.lt, "less_equal": operator.le,
        "equal": operator.eq, "not_equal": operator.ne,
        "where": lambda c, a, b: a if c else b,
        "floor": context.floor, "ceil": context.ceil,
        "float64": context.mpf, "max": max, "abs": abs, "bool": bool,
        "logical_and": lambda c, d: bool(c and d), "logical_or": lambda c, d: bool(c or d),
        "logical_not": operator.not_, "stop_gradient": stop_gradient,
        "polygamma": partial(_polygamma, context),
    }  # fmt: skip
    functions = lifted({**base, **{name: getattr(context, name) for name in shared(base)}}, precise)
    return functions, precise


_FUNCTIONS, _precise = algebra(_CONTEXT)


def _logaddexp(a: Any, b: Any) -> Any:
    return max(a, b) + _CONTEXT.log1p(_CONTEXT.exp(-abs(a - b)))


# As the rows have them, what is small beside 1 would be lost.
_FUNCTIONS |= {
    "log1p": _CONTEXT.log1p,
    "expm1": _CONTEXT.expm1,
    "logaddexp": _logaddexp,
    "softplus": lambda x: _logaddexp(x, 0),
}


def numeric(tree: ast.expr) -> ExpressionCode:
    """Read an expression of the text, to be evaluated on numbers of many digits."""
    return code(tree, _FUNCTIONS, _precise)


def cautious(expression: ExpressionCode) -> ExpressionCode:
    """Make an expression raise an `ArithmeticError` where it may lose many digits.

    That is where a result is huge or tiny, or the little that two numbers leave of each other.
    """
    steps = [
        (kind if kind in (None, ast.Name) else partial(_moderate, kind), payload)
        for kind, payload in expression.steps
    ]
    return ExpressionCode(steps)


def _moderate(function: Any, *operands: Any) -> Any:
    result = function(*operands)
    size = abs(result)
    least = max(map(abs, operands)) / MODERATE if function in (operator.add, operator.sub) else 0
    if size > MODERATE or 0 < size * MODERATE < 1 or size < least:
        raise ArithmeticError("a number that is not moderate")
    return result


def held(expression: ExpressionCode) -> ExpressionCode:
    """Make each `stop_gradient` give, however inputs vary later, what it gives at first."""
    if all(kind is not stop_gradient for kind, _ in expression.steps):
        return expression
    steps = [
        (partial({}.setdefault, "held") if kind is stop_gradient else kind, payload)
        for kind, payload in expression.steps
    ]
    return ExpressionCode(steps)


def slopes(
    expression: ExpressionCode, at: Mapping[str, Any], variable: str
) -> tuple[Any, Any] | None:
    """Take the slopes of an expression on both sides of a point, by one of its names.

    Where it is smooth they agree to about 60 digits, with its derivative between them. At a kink
    each slope between them may be chosen, and beside a jump, as of a condition, it is flat.

    Returns:
        The smaller one and the larger one; None at the edge of the expression's domain.
    """
    expression = held(expression)
    around = {read: at[read] for read in expression.reads}
    center = around[variable]
    middle = expression(around)
    if isinstance(middle, bool):
        return number(0), number(0)
    step = STEP * max(abs(center), STEP) if center else STEP
    sides = []
    for end in (step, -step):
        around[variable] = center + end
        rise = expression(around) - middle
        sides.append(rise / end)
        if abs(rise) > JUMP * max(1, abs(middle)):
            sides.append(number(0))
    if not all(map(is_sound, sides)):
        return None
    # Where a function is as good as constant, as tanh is at 400, its rise is lost in the rounding.
    noise = abs(middle) * ROUNDING / abs(step)
    return min(sides) - noise, max(sides) + noise


def is_sound(x: Any) -> bool:
    """Is it a finite real number?"""
    return isinstance(x, int | number) and bool(_CONTEXT.isfinite(x))


def agreeing_digits(a: Any, b: Any, scale: Any = 0) -> float:
    """Count the digits in which two numbers agree, the leading one being the largest's of all."""
    if a == b:
        return float("inf")
    if not (is_sound(a) and is_sound(b)):
        return 0.0
    return float(-_CONTEXT.log10(abs(a - b) / max(abs(a), abs(b), scale)))


def short(x: Any, digits: int = 8) -> str:
    """Write a number in a few digits."""
    return str(_CONTEXT.nstr(_CONTEXT.convert(x), digits))


def unlike(a: Any, b: Any) -> tuple[str, str]:
    """Write two different numbers in as many digits as it takes to see that."""
    digits = next((n for n in (8, 17, 30) if short(a, n) != short(b, n)), DIGITS + 5)
    return short(a, digits), short(b, digits)
