"""Expressions of emitted text over numbers of many digits.

With verify/symbols.py, the only module that imports mpmath.
"""

import ast
import operator
from collections.abc import Mapping
from typing import Any

import mpmath

from gradcompile.ops import table
from gradcompile.ops.syntax import ExpressionCode, code, evaluate, parse
from gradcompile.verify.algebras import ARITHMETIC, SHARED, lifted

DIGITS = 50
"""Digits to which a derivative that is not proved is confirmed."""


WORKING_DIGITS = 300


STEP = mpmath.mpf(10) ** -60
"""The relative step of the differences: with 300 digits they are right to about 60."""


ROUNDING = mpmath.mpf(10) ** (5 - WORKING_DIGITS)
"""More than what rounding makes of a number, as a part of it."""


JUMP = mpmath.mpf(10) ** -20
"""What changes by more than this over a step does not change smoothly."""


class _Frozen:
    """`stop_gradient` on numbers: while inputs are varied, it keeps the values it had before."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.recording = True
        self.next = 0

    def __call__(self, x: Any) -> Any:
        if self.recording:
            self.values.append(x)
            return x
        self.next += 1
        return self.values[self.next - 1]


_frozen = _Frozen()


def precise(x: float) -> Any:
    """A number of the text: exactly, or what the constant stands for that it is nearest to."""
    if x in table.CONSTANTS:
        return evaluate(parse(table.CONSTANTS[x]), {"pi": +mpmath.pi}, NUMBERS, mpmath.mpf)
    return mpmath.mpf(x)


NUMBERS = lifted(
    {
        **ARITHMETIC,
        "greater": operator.gt, "greater_equal": operator.ge,
        "less": operator.lt, "less_equal": operator.le,
        "equal": operator.eq, "not_equal": operator.ne,
        "where": lambda c, a, b: a if c else b,
        "floor": mpmath.floor, "ceil": mpmath.ceil,
        "float64": mpmath.mpf, "max": max, "abs": abs, "bool": bool,
        "logical_and": lambda c, d: bool(c and d), "logical_or": lambda c, d: bool(c or d),
        "logical_not": operator.not_, "polygamma": mpmath.psi, "stop_gradient": _frozen,
        **{name: getattr(mpmath, name) for name in SHARED},
    },
    precise,
)  # fmt: skip
"""The operations on mpmath's numbers."""


def numeric(tree: ast.expr) -> ExpressionCode:
    """An expression of the text, to be evaluated on mpmath's numbers."""
    with mpmath.workdps(WORKING_DIGITS):
        return code(tree, NUMBERS, precise)


def slopes(
    expression: ExpressionCode, at: Mapping[str, Any], variable: str
) -> tuple[Any, Any] | None:
    """The slopes of an expression on both sides of a point, by one of its names; the smaller first.

    Where it is smooth they agree to about 60 digits, with its derivative between them. At a kink
    each slope between them may be chosen, and beside a jump it is flat. None at the edge of its
    domain.
    """
    _frozen.values.clear()
    _frozen.recording = True
    around = {read: at[read] for read in expression.reads}
    center = around[variable]
    middle = expression(around)
    _frozen.recording = False
    step = STEP * max(abs(center), STEP) if center else STEP
    found = []
    try:
        for end in (step, -step):
            _frozen.next = 0
            around[variable] = center + end
            rise = expression(around) - middle
            found.append(rise / end)
            if abs(rise) > JUMP * max(1, abs(middle)):
                found.append(mpmath.mpf(0))
    finally:
        _frozen.recording = True
    if not all(map(is_sound, found)):
        return None
    # Where a function is as good as constant, as tanh is at 400, its rise is lost in the rounding.
    noise = abs(middle) * ROUNDING / abs(step)
    return min(found) - noise, max(found) + noise


def is_sound(x: Any) -> bool:
    """Is it a finite real number?"""
    return isinstance(x, int | mpmath.mpf) and bool(mpmath.isfinite(x))


def agreeing_digits(a: Any, b: Any, scale: Any = 0) -> float:
    """In how many digits two numbers agree, the leading one being that of the largest of all."""
    if a == b:
        return float("inf")
    if not (is_sound(a) and is_sound(b)):
        return 0.0
    return float(-mpmath.log10(abs(a - b) / max(abs(a), abs(b), scale)))


def short(x: Any, digits: int = 8) -> str:
    """A number in a few digits."""
    return str(mpmath.nstr(mpmath.mpmathify(x), digits))


def unlike(a: Any, b: Any) -> tuple[str, str]:
    """Two different numbers in as many digits as it takes to see that."""
    digits = next((n for n in (8, 17, 30) if short(a, n) != short(b, n)), DIGITS + 5)
    return short(a, digits), short(b, digits)


def working() -> Any:
    """A context in which numbers have enough digits."""
    return mpmath.workdps(WORKING_DIGITS)


number = mpmath.mpf
"""Makes a number of many digits."""


CONSTANTS = {"inf": mpmath.inf, "nan": mpmath.nan}
"""The names that emitted text may use for numbers."""
