"""Expressions of emitted text over sympy and over numbers of many digits.

The only module that imports sympy and mpmath. The op table says what each operation means to them
(`Op.sympy`, or the expression itself); how they are differentiated is sympy's own knowledge, which
makes it an independent oracle.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

import mpmath
import sympy

from gradcompile import ops
from gradcompile.syntax import Code, code, evaluate, parse

DIGITS = 50
"""Digits to which a derivative that is not proved is confirmed."""

WORKING_DIGITS = 300
STEP = mpmath.mpf(10) ** -60
"""The relative step of the differences: with 300 digits they are right to about 60."""

ROUNDING = mpmath.mpf(10) ** (5 - WORKING_DIGITS)
"""More than what rounding makes of a number, as a part of it."""

JUMP = mpmath.mpf(10) ** -20
"""What changes by more than this over a step does not change smoothly."""

Functions = dict[str, Callable[..., Any]]


def _lifted(base: Functions, number: Callable[[float], Any]) -> Functions:
    """The functions of the table over an algebra, from those it has."""
    functions = dict(base)

    def lift(op: ops.Op) -> Callable[..., Any]:
        tree = parse(op.sympy or op.expression)
        return lambda *operands: evaluate(
            tree, dict(zip(op.operand_names, operands, strict=True)), functions, number
        )

    for op in ops.TABLE.values():
        if op.name not in functions:
            functions[op.name] = lift(op)
    return functions


_ARITHMETIC: Functions = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "div": operator.truediv,
    "pow": operator.pow, "neg": operator.neg, "copy": lambda x: x,
}  # fmt: skip

_SHARED = (
    "exp", "log", "sqrt", "sin", "cos", "tan", "asin", "acos", "atan", "atan2",
    "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "erf", "erfc", "loggamma",
)  # fmt: skip
"""Functions of the same name and meaning in both; the table defines the rest by them."""


# --- numbers of many digits ------------------------------------------------------------------


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
    if x in ops.CONSTANTS:
        return evaluate(parse(ops.CONSTANTS[x]), {"pi": +mpmath.pi}, NUMBERS, mpmath.mpf)
    return mpmath.mpf(x)


NUMBERS = _lifted(
    {
        **_ARITHMETIC,
        "greater": operator.gt, "greater_equal": operator.ge,
        "less": operator.lt, "less_equal": operator.le,
        "equal": operator.eq, "not_equal": operator.ne,
        "where": lambda c, a, b: a if c else b,
        "floor": mpmath.floor, "ceil": mpmath.ceil,
        "float64": mpmath.mpf, "max": max, "abs": abs, "bool": bool,
        "logical_and": lambda c, d: bool(c and d), "logical_or": lambda c, d: bool(c or d),
        "logical_not": operator.not_, "polygamma": mpmath.psi, "stop_gradient": _frozen,
        **{name: getattr(mpmath, name) for name in _SHARED},
    },
    precise,
)  # fmt: skip
"""The operations on mpmath's numbers."""


def numeric(tree: ast.expr) -> Code:
    """An expression of the text, to be evaluated on mpmath's numbers."""
    with mpmath.workdps(WORKING_DIGITS):
        return code(tree, NUMBERS, precise)


def slopes(expression: Code, at: Mapping[str, Any], variable: str) -> tuple[Any, Any] | None:
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


# --- symbols ---------------------------------------------------------------------------------


class _Flat(sympy.Function):  # type: ignore[misc]
    """A function that sympy must not differentiate: its slope is 0 where it is smooth."""

    def fdiff(self, argindex: int = 1) -> Any:
        return sympy.Integer(0)


class _Floor(_Flat):
    pass


class _Ceil(_Flat):
    pass


class _Stopped(_Flat):
    pass


def _is_condition(x: Any) -> bool:
    # sympy's symbols are both numbers and truth values; here they are numbers.
    return isinstance(x, sympy.logic.boolalg.Boolean) and not isinstance(x, sympy.Symbol)


def _condition(c: Any) -> Any:
    if _is_condition(c):
        return c
    if isinstance(c, sympy.Piecewise) and c.args[0][0] == 1 and c.args[-1][0] == 0:
        return c.args[0][1]
    return sympy.Ne(c, 0)


def _where(c: Any, a: Any, b: Any) -> Any:
    return sympy.Piecewise((a, _condition(c)), (b, True))


def _as_number(x: Any) -> Any:
    return _where(x, 1, 0) if _is_condition(x) else x


def exact(x: float) -> Any:
    """A number of the text: exactly, or what the constant stands for that it is nearest to."""
    if x in ops.CONSTANTS:
        return evaluate(parse(ops.CONSTANTS[x]), {"pi": sympy.pi}, SYMBOLS, sympy.Rational)
    return sympy.oo if x == float("inf") else sympy.Rational(x)


SYMBOLS = _lifted(
    {
        **_ARITHMETIC,
        "greater": sympy.Gt, "greater_equal": sympy.Ge, "less": sympy.Lt, "less_equal": sympy.Le,
        # Two different expressions are equal almost nowhere; the table's kinks have their own test.
        "equal": lambda a, b: sympy.true if a == b else sympy.false,
        "not_equal": lambda a, b: sympy.false if a == b else sympy.true,
        "where": _where, "float64": _as_number, "bool": _condition,
        "max": lambda a, b: _where(sympy.Gt(a, b), a, b),
        "abs": lambda x: _where(sympy.Gt(x, 0), x, -x),
        "logical_not": lambda c: sympy.Not(_condition(c)),
        "logical_and": lambda c, d: sympy.And(_condition(c), _condition(d)),
        "logical_or": lambda c, d: sympy.Or(_condition(c), _condition(d)),
        "floor": _Floor, "ceil": _Ceil, "polygamma": sympy.polygamma, "stop_gradient": _Stopped,
        **{name: getattr(sympy, name) for name in _SHARED},
    },
    exact,
)  # fmt: skip
"""The operations on sympy's expressions."""


ZERO = sympy.Integer(0)
ONE = sympy.Integer(1)


def symbol(name: str) -> Any:
    """The real number that a name stands for."""
    return sympy.Symbol(name, real=True)


def symbolic(tree: ast.expr, names: Mapping[str, Any]) -> Any:
    """An expression of the text over sympy, where the names stand for these."""
    constants = {"inf": sympy.oo, "nan": sympy.nan}
    return sympy.sympify(code(tree, SYMBOLS, exact)({**constants, **names}))


def derivative(expression: Any, by: Any) -> Any:
    """The derivative, by sympy, of an expression by a symbol."""
    return sympy.diff(expression, by)


def substitute(expression: Any, definitions: Mapping[Any, Any]) -> Any:
    """An expression with what its symbols stand for put in, in conditions too."""
    replaced = dict(definitions)
    for name, definition in definitions.items():
        if isinstance(definition, sympy.Piecewise):
            condition = _condition(definition)
            replaced[sympy.Ne(name, 0)] = condition
            replaced[sympy.Eq(name, 0)] = sympy.Not(condition)
    return expression.xreplace(replaced)


def latex(expression: Any) -> str:
    """An expression as LaTeX, with a bar over the names of adjoints."""
    adjoints = {
        name: rf"\bar{{{sympy.latex(sympy.Symbol(name.name.removesuffix('_bar')))}}}"
        for name in sympy.sympify(expression).free_symbols
        if name.name.endswith("_bar")
    }
    return str(sympy.latex(expression, symbol_names=adjoints))


CASES = 5
"""The most conditions whose cases are looked at one by one."""

SIMPLIFIABLE = 200
"""The largest expression, in operations, that is given to sympy's `simplify`."""


def is_large(expression: Any) -> bool:
    """Is it beyond what sympy is asked to simplify?"""
    conditions = expression.atoms(sympy.core.relational.Relational)
    return len(conditions) > CASES or expression.count_ops() > SIMPLIFIABLE


def is_zero(difference: Any, thorough: bool = True, cases: int = CASES) -> bool:
    """Can sympy tell that an expression is zero, in each case of its conditions?"""
    if difference == 0:
        return True
    conditions = difference.atoms(sympy.core.relational.Relational)
    if not conditions:
        return _simplifies_to_zero(difference, thorough)
    if cases == 0:
        return False
    first = min(conditions, key=lambda c: (c.count_ops(), str(c)))  # inner ones before outer ones
    return all(
        is_zero(difference.xreplace(_known(conditions, first, holds)), thorough, cases - 1)
        for holds in (True, False)
    )


def _known(conditions: set[Any], first: Any, holds: bool) -> dict[Any, Any]:
    """What is known of some conditions where the first one holds, or where it does not.

    Which of two inequalities is strict makes no difference: ties are kinks, and not looked at.
    """
    known = {first: sympy.true if holds else sympy.false}
    excess = _excess(first)
    for condition in conditions - {first} if excess is not None else ():
        other = _excess(condition)
        if other == excess:
            known[condition] = known[first]
        elif other == -excess:
            known[condition] = sympy.Not(known[first])
    return known


def _excess(condition: Any) -> Any:
    """What is positive where an inequality holds; None for an equation."""
    if not isinstance(condition, _INEQUALITIES):
        return None
    return sympy.expand(condition.gts - condition.lts)


_INEQUALITIES = (
    sympy.StrictGreaterThan, sympy.GreaterThan, sympy.StrictLessThan, sympy.LessThan,
)  # fmt: skip


def _simplifies_to_zero(difference: Any, thorough: bool) -> bool:
    if difference == 0:
        return True
    if difference.count_ops() > SIMPLIFIABLE:
        return False
    attempts = (sympy.expand, sympy.cancel, sympy.simplify) if thorough else (sympy.expand,)
    return any(attempt(difference) == 0 for attempt in attempts)
