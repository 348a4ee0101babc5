"""The words of the op table in sympy, and of sympy in the op table.

What a row means to sympy is in the row; here is only what sympy has a function of its own for. The
other way follows from it: a function of sympy's is the row that is written as this function of its
operands.

Verification has its own words for some rows (`verify/symbols.py`): it takes them apart to see what
holds on either side of a kink, while these are what one likes to read.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np
import sympy

from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.support.arrays import AnyArray
from gradcompile.verify.algebras import Functions
from gradcompile.verify.alone import ALONE
from gradcompile.verify.symbols import SYMBOLS, algebra, exact

Expression = sympy.Basic
"""Whatever sympy computes with."""

Meaning = tuple[Callable[..., Any], Sequence[Any]]
"""A function of Values or numbers, and the expressions that it is applied to."""


def _where(c: Any, a: Any, b: Any) -> Any:
    """Write a choice; one between more than two as one, and without a case for nan."""
    others = b.args if isinstance(b, sympy.Piecewise) else ((b, True),)
    cases = [(a, SYMBOLS["bool"](c)), *others]
    return sympy.Piecewise(*(cases[:-1] if cases[-1][0] == sympy.nan else cases))


WRITTEN: Functions = algebra({
    "where": _where,
    "abs": sympy.Abs, "sign": sympy.sign, "floor": sympy.floor, "ceil": sympy.ceiling,
    "max": sympy.Max, "maximum": sympy.Max, "minimum": sympy.Min, "heaviside": sympy.Heaviside,
    "remainder": sympy.Mod, "equal": sympy.Eq, "not_equal": sympy.Ne, "stop_gradient": lambda x: x,
})  # fmt: skip
"""Each row of the table as a function of sympy expressions."""

MAX_DENOMINATOR = 1000
"""Fractions with a larger denominator are written as decimals."""

DIGITS = 20
"""So many digits of a number are enough to find the nearest float."""

MAX_INTEGER = 2.0**53
"""From here on not every integer is a float."""


def number(x: float) -> Any:
    """Write a float as what it is the nearest one to: a constant or a fraction, or itself."""
    if x in table.CONSTANTS:
        return exact(x)
    if abs(x) < MAX_INTEGER:
        fraction = Fraction(x).limit_denominator(MAX_DENOMINATOR)
        if fraction.numerator / fraction.denominator == x:
            return sympy.Rational(fraction.numerator, fraction.denominator)
    return sympy.Float(x)


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Ask sympy, one thread at a time.

    Raises:
        ValueError: an expression is nested too deeply for sympy.
    """
    try:
        with ALONE:
            yield
    except RecursionError:
        raise ValueError(f"{what}: the expression is nested too deeply for sympy") from None


def evaluated(is_wanted: bool) -> Any:
    """Let sympy simplify what is made in a `with` block, or take it as it is written."""
    return sympy.evaluate(is_wanted)


def table_of(items: list[Any], shape: tuple[int, ...]) -> Any:
    """Write an array: a matrix where it has two axes."""
    made = sympy.Array(items, shape)
    return sympy.Matrix(made) if len(shape) == 2 else made


def explicit(tree: Any) -> Any:
    """Make numpy arrays of the matrices and arrays of sympy's in lists, tuples and dicts."""
    if isinstance(tree, dict):
        return {key: explicit(part) for key, part in tree.items()}
    if type(tree) in (list, tuple, sympy.Tuple):
        return (list if type(tree) is list else tuple)(map(explicit, tree))
    if isinstance(tree, sympy.MatrixExpr):
        tree = tree.as_explicit()
    if isinstance(tree, sympy.MatrixBase | sympy.NDimArray):
        return _objects(list(sympy.flatten(tree)), tuple(map(int, tree.shape)))
    return tree


def _objects(items: list[Any], shape: tuple[int, ...]) -> AnyArray:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape(shape)


# --- what expressions mean ---------------------------------------------------------------------


def meaning(node: Any) -> Meaning | None:
    """Tell what an expression is a function of, and which one; None if there is nothing for it."""
    if node.is_Number or node.is_NumberSymbol:
        return (lambda: _float(node)), ()
    if node in (sympy.true, sympy.false):
        return (lambda: float(bool(node))), ()
    for kind, read in _FORMS.items():
        if isinstance(node, kind):
            return read(node)
    if node.func in _REWRITTEN:
        return _itself, (node.rewrite(_REWRITTEN[node.func]),)
    op = _rows().get(node.func)
    if op is None:
        return _constant(node)
    return (functools.partial(_folded, op) if op.arity == 2 and op.commutative else op), node.args


@functools.cache
def _rows() -> dict[Any, Op]:
    """The row that each function of sympy's is, as far as rows are written by one."""
    rows: dict[Any, Op] = {
        sympy.And: table.logical_and, sympy.Or: table.logical_or, sympy.Not: table.logical_not,
        sympy.ITE: table.where, sympy.re: table.copy, sympy.conjugate: table.copy,
    }  # fmt: skip
    for op in table.TABLE.values():
        operands = tuple(sympy.Dummy(real=True) for _ in range(op.arity))
        made = sympy.sympify(WRITTEN[op.name](*operands))
        if made.args == operands or (op.commutative and set(made.args) == set(operands)):
            rows.setdefault(made.func, op)
    return rows


def _float(x: Any) -> float:
    """The nearest float."""
    if x.is_Rational:
        try:
            return int(x.p) / int(x.q)
        except OverflowError:
            return float("-inf") if x.is_negative else float("inf")
    return float(x)


def _constant(node: Any) -> Meaning | None:
    """Read an expression without symbols, such as zeta(3), as a number, if it is a real one."""
    value = node.evalf(DIGITS) if node.is_number else node
    return ((lambda: float(value)), ()) if value.is_Float else None


def _itself(x: Any) -> Any:
    return x


def _folded(op: Op, *operands: Any) -> Any:
    return functools.reduce(op, operands)


def _product(node: Any) -> Meaning:
    """Read a product: a quotient, where some powers in it are negative."""
    coefficient, factors = node.as_coeff_mul()
    is_negative = coefficient.is_negative
    size = abs(coefficient)
    above = [x for x in (size.p if size.is_Rational else size, *factors) if not _is_below(x)]
    below = [1 / x for x in factors if _is_below(x)]
    if size.is_Rational and size.q != 1:
        below.insert(0, sympy.Integer(size.q))
    above = [sympy.sympify(x) for x in above if x != 1]

    def quotient(*operands: Any) -> Any:
        parts = operands[: len(above)], operands[len(above) :]
        top, bottom = (functools.reduce(table.mul, part) if part else None for part in parts)
        made = table.div(1.0 if top is None else top, bottom) if bottom is not None else top
        return table.neg(made) if is_negative else made

    return quotient, [*above, *below]


def _is_below(factor: Any) -> bool:
    return isinstance(factor, sympy.Pow) and bool(factor.exp.is_Rational and factor.exp < 0)


_POWERS: dict[Any, Callable[..., Any]] = {
    sympy.Integer(2): table.square,
    sympy.Rational(1, 2): table.sqrt,
    sympy.Rational(-1, 2): table.rsqrt,
    sympy.Integer(-1): lambda x: table.div(1.0, x),
}


def _power(node: Any) -> Meaning:
    if node.exp in _POWERS:
        return _POWERS[node.exp], (node.base,)
    if _is_below(node):
        return _POWERS[sympy.Integer(-1)], (1 / node,)
    return table.pow_, node.args


def _choice(node: Any) -> Meaning:
    """Read a choice: the first whose condition holds, and nan if none does."""
    ends = [k for k, (_, condition) in enumerate(node.args) if condition == sympy.true]
    pairs = node.args[: ends[0] if ends else None]
    last = node.args[ends[0]][0] if ends else sympy.nan

    def chosen(otherwise: Any, *operands: Any) -> Any:
        for k in reversed(range(0, len(operands), 2)):
            otherwise = table.where(operands[k + 1], operands[k], otherwise)
        return otherwise

    return chosen, [last, *(x for pair in pairs for x in pair.args)]


def _done(node: Any) -> Meaning | None:
    """Carry out what stands there as something to do."""
    done = node.doit()
    return None if done.func == node.func else (_itself, (done,))


_FORMS: dict[Any, Callable[[Any], Meaning | None]] = {
    sympy.Mul: _product,
    sympy.Pow: _power,
    sympy.Piecewise: _choice,
    sympy.UnevaluatedExpr: lambda node: (_itself, node.args),
    sympy.im: lambda node: ((lambda: 0.0), ()),
    (sympy.Derivative, sympy.Sum, sympy.Product): _done,
}
"""Expressions that are no row, by what they are."""

_REWRITTEN: dict[Any, Any] = {
    sympy.sec: sympy.cos, sympy.csc: sympy.sin, sympy.cot: sympy.tan,
    sympy.sech: sympy.cosh, sympy.csch: sympy.sinh, sympy.coth: sympy.tanh,
    sympy.asec: sympy.acos, sympy.acsc: sympy.asin, sympy.acot: sympy.atan,
    sympy.acoth: sympy.log, sympy.asech: sympy.log, sympy.acsch: sympy.log,
    sympy.sinc: sympy.sin, sympy.frac: sympy.floor,
}  # fmt: skip
"""Functions that sympy can write by others."""


def is_atom(x: Any) -> bool:
    """Can an expression stand for an argument: a symbol, an element or an unknown function?"""
    kinds = (sympy.Symbol, sympy.Indexed, sympy.core.function.AppliedUndef, sympy.Derivative)
    return isinstance(x, (*kinds, sympy.matrices.expressions.matexpr.MatrixElement))
