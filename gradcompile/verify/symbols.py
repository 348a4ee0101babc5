"""Expressions of emitted text over sympy.

The op table says what each operation means to them
(`Op.sympy`, or the expression itself); how they are differentiated is sympy's own knowledge, which
makes it an independent oracle.
"""

import ast
from collections.abc import Callable, Mapping
from math import comb, prod
from typing import Any

import sympy

from gradcompile.ops import table
from gradcompile.ops.syntax import code, evaluate, parse
from gradcompile.verify.algebras import ARITHMETIC, Functions, lifted, shared
from gradcompile.verify.alone import ALONE


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
    """Take a number of the text exactly, or as the constant that it is the nearest float to."""
    if x in table.CONSTANTS:
        return evaluate(parse(table.CONSTANTS[x]), {"pi": sympy.pi}, SYMBOLS, sympy.Rational)
    return sympy.oo if x == float("inf") else sympy.Rational(x)


_BASE: Functions = {
    **ARITHMETIC,
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
}  # fmt: skip


def algebra(own: Functions) -> Functions:
    """Make the functions of the table over sympy's expressions; `own` go before those here."""
    base = {**_BASE, **own}
    return lifted({**base, **{name: getattr(sympy, name) for name in shared(base)}}, exact)


SYMBOLS = algebra({})
"""The operations on sympy's expressions."""


ZERO = sympy.Integer(0)
ONE = sympy.Integer(1)


def symbol(name: str) -> Any:
    """Make the real number that a name stands for."""
    return sympy.Symbol(name, real=True)


def symbolic(tree: ast.expr, names: Mapping[str, Any]) -> Any:
    """Read an expression of the text over sympy, where the names stand for these."""
    constants = {"inf": sympy.oo, "nan": sympy.nan}
    # A condition that has a name is a number where it is not tested.
    return sympy.sympify(_as_number(code(tree, SYMBOLS, exact)({**constants, **names})))


def derivative(expression: Any, by: Any) -> Any:
    """Differentiate an expression by a symbol, as sympy does."""
    return sympy.diff(expression, by)


def substitute(expression: Any, definitions: Mapping[Any, Any]) -> Any:
    """Put in what the symbols of an expression stand for, in conditions too."""
    replaced = dict(definitions)
    for name, definition in definitions.items():
        if isinstance(definition, sympy.Piecewise):
            condition = _condition(definition)
            replaced[sympy.Ne(name, 0)] = condition
            replaced[sympy.Eq(name, 0)] = sympy.Not(condition)
    return expression.xreplace(replaced)


def latex(expression: Any) -> str:
    """Write an expression as LaTeX, with a bar over the names of adjoints."""
    with ALONE:
        adjoints = {
            name: rf"\bar{{{sympy.latex(sympy.Symbol(name.name.removesuffix('_bar')))}}}"
            for name in sympy.sympify(expression).free_symbols
            if name.name.endswith("_bar")
        }
        return str(sympy.latex(expression, symbol_names=adjoints))


MAX_CONDITIONS = 5
"""The most conditions whose cases are looked at one by one."""

MAX_OPERATIONS_TO_SIMPLIFY = 200
"""The largest expression, in operations, that is given to sympy's `simplify`."""


def operations(expression: Any) -> int:
    """Count the operations of an expression."""
    return int(expression.count_ops())


def is_large(expression: Any) -> bool:
    """Is it beyond what sympy is asked to simplify?"""
    conditions = expression.atoms(sympy.core.relational.Relational)
    return len(conditions) > MAX_CONDITIONS or expression.count_ops() > MAX_OPERATIONS_TO_SIMPLIFY


MAX_OPERATIONS_TOGETHER = 80
"""The largest expression, in operations, that is written on one line of a fraction."""

MAX_TERMS = 1000
"""The most terms that an expression is expanded to."""


def _expanded(expression: Any) -> Any:
    """Multiply out, unless there are too many terms."""
    return expression if _terms(expression) > MAX_TERMS else sympy.expand(expression)


def _terms(expression: Any) -> int:
    """Estimate how many terms there are when all is multiplied out."""
    if expression.is_Add:
        return sum(map(_terms, expression.args))
    if expression.is_Mul:
        return prod(map(_terms, expression.args))
    if expression.is_Pow and expression.exp.is_Integer:
        count, power = _terms(expression.base), abs(int(expression.exp))
        return comb(count + power - 1, power) if power <= MAX_TERMS else MAX_TERMS + 1
    return 1


def _numerator(expression: Any) -> Any:
    """Expand what is above the line, when all is written on one: no common factors are looked for.

    That takes sympy long where there are many functions in it.
    """
    if operations(expression) > MAX_OPERATIONS_TOGETHER:
        return expression
    return _expanded(sympy.fraction(sympy.together(expression))[0])


Attempts = tuple[Callable[[Any], Any], ...]

BRIEF: Attempts = ()
"""What is tried on an expression after expanding it: nothing."""

RATIONAL: Attempts = (_numerator,)
"""What tells whether a rational function of whatever is in it is zero."""

THOROUGH: Attempts = (sympy.cancel, sympy.simplify)
"""All that sympy can do; some expressions take it minutes."""


def is_zero(difference: Any, attempts: Attempts = THOROUGH, cases: int = MAX_CONDITIONS) -> bool:
    """Can sympy tell that an expression is zero, in each case of its conditions?"""
    if difference == 0:
        return True
    conditions = difference.atoms(sympy.core.relational.Relational)
    if not conditions:
        return _simplifies_to_zero(difference, attempts)
    if cases == 0:
        return False
    first = min(conditions, key=lambda c: (c.count_ops(), str(c)))  # inner ones before outer ones
    return all(
        is_zero(difference.xreplace(_known(conditions, first, holds)), attempts, cases - 1)
        for holds in (True, False)
    )


def _known(conditions: set[Any], first: Any, holds: bool) -> dict[Any, Any]:
    """Tell what is known of some conditions where the first one holds, or where it does not.

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
    """Find what is positive where an inequality holds; None for an equation."""
    if not isinstance(condition, _INEQUALITIES):
        return None
    return sympy.expand(condition.gts - condition.lts)


_INEQUALITIES = (
    sympy.StrictGreaterThan, sympy.GreaterThan, sympy.StrictLessThan, sympy.LessThan,
)  # fmt: skip


def _simplifies_to_zero(difference: Any, attempts: Attempts) -> bool:
    if difference == 0:
        return True
    if difference.count_ops() > MAX_OPERATIONS_TO_SIMPLIFY:
        return False
    if _expanded(difference) == 0:
        return True
    named = _with_named_fractions(difference) if attempts else difference
    return any(attempt(named) == 0 for attempt in attempts)


MAX_EXPONENT = 1000
"""The largest numerator of an exponent that sympy may raise a number to."""


def _with_named_fractions(expression: Any) -> Any:
    """Put symbols for long fractions where they may become exponents of numbers.

    There sympy raises the number to the whole numerator, which is without end for that of most
    floats. What is zero for all such fractions is zero for these.
    """
    powers = (power for power in expression.atoms(sympy.Pow) if not power.exp.is_Rational)
    logarithms = expression.atoms(sympy.log)
    if not any(x.args[0].is_number for x in (*powers, *logarithms)):
        return expression
    fractions = (x for x in expression.atoms(sympy.Rational) if abs(x.p) > MAX_EXPONENT)
    return expression.xreplace({x: sympy.Dummy(real=True) for x in fractions})
