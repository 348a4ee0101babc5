"""Python's operators on traced things: each applies a row of the op table.

`Operators` is the base of everything that the table's lambdas and users' functions may be run on:
`Value` (builds an expression graph), `Ref` (appends instructions to a program) and `Symbol`
(builds a sympy expression). A subclass says in `_apply` what applying an operation does.
"""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gradcompile.ops import table
from gradcompile.ops.op import Op
from gradcompile.support.arrays import AnyArray

KNOWN = (int, float, complex, np.generic, str, bytes, list, tuple)
"""Types whose own operators know no `Value`, and would say less clearly what was wrong."""


class Operators:
    """Operators, numpy's ufuncs and one method an operation, all by the op table.

    It has more methods than a class should have: Python asks for one an operator, and their
    signatures are what type checkers and readers look for.
    """

    __slots__ = ()

    _arrays: type[AnyArray] = np.ndarray
    """What arrays of them are."""

    if TYPE_CHECKING:  # the methods that the end of this file adds

        def __getattr__(self, name: str) -> Any: ...

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> Self:
        raise NotImplementedError

    def _operate(self, op: Op, operands: tuple[Any, ...]) -> Self:
        """Apply an operation as an operator does: called by `_binary`, that by an operator."""
        return self._apply(op, operands)

    def __add__(self, other: Any) -> Self:
        return _binary(table.add, self, other)

    def __radd__(self, other: Any) -> Self:
        return _binary(table.add, other, self)

    def __sub__(self, other: Any) -> Self:
        return _binary(table.sub, self, other)

    def __rsub__(self, other: Any) -> Self:
        return _binary(table.sub, other, self)

    def __mul__(self, other: Any) -> Self:
        return _binary(table.mul, self, other)

    def __rmul__(self, other: Any) -> Self:
        return _binary(table.mul, other, self)

    def __truediv__(self, other: Any) -> Self:
        return _binary(table.div, self, other)

    def __rtruediv__(self, other: Any) -> Self:
        return _binary(table.div, other, self)

    def __pow__(self, other: Any) -> Self:
        return _binary(table.pow_, self, other)

    def __rpow__(self, other: Any) -> Self:
        return _binary(table.pow_, other, self)

    def __mod__(self, other: Any) -> Self:
        return _binary(table.remainder, self, other)

    def __rmod__(self, other: Any) -> Self:
        return _binary(table.remainder, other, self)

    def __floordiv__(self, other: Any) -> Self:
        return _binary(table.floor_divide, self, other)

    def __rfloordiv__(self, other: Any) -> Self:
        return _binary(table.floor_divide, other, self)

    def __divmod__(self, other: Any) -> tuple[Self, Self]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Self, Self]:
        return other // self, other % self

    def __neg__(self) -> Self:
        return self._apply(table.neg, (self,))

    def __pos__(self) -> Self:
        return self

    def __abs__(self) -> Self:
        return self._apply(table.abs_, (self,))

    def __floor__(self) -> Self:
        return self._apply(table.floor, (self,))

    def __ceil__(self) -> Self:
        return self._apply(table.ceil, (self,))

    def __trunc__(self) -> Self:
        return self._apply(table.trunc, (self,))

    def __round__(self, digits: int | None = None) -> Self:
        """Round to so many decimals, as numpy does: by a power of ten, up and down again.

        Python rounds the exact decimal value of a float: it has 1.11 for `round(1.115, 2)`, where
        this is 1.12.
        """
        if digits is None:
            return self._apply(table.rint, (self,))
        power = 10.0 ** abs(digits)
        if digits < 0:
            return table.rint(self / power) * power
        return table.rint(self * power) / power

    def conjugate(self) -> Self:
        """Itself: it is real. numpy asks for it in `std` and `vdot`."""
        return self

    def __lt__(self, other: Any) -> Self:
        return _binary(table.less, self, other)

    def __le__(self, other: Any) -> Self:
        return _binary(table.less_equal, self, other)

    def __gt__(self, other: Any) -> Self:
        return _binary(table.greater, self, other)

    def __ge__(self, other: Any) -> Self:
        return _binary(table.greater_equal, self, other)

    def __eq__(self, other: object) -> Self:  # type: ignore[override]
        return _binary(table.equal, self, other)

    def __ne__(self, other: object) -> Self:  # type: ignore[override]
        return _binary(table.not_equal, self, other)

    def __and__(self, other: Any) -> Self:
        return _binary(table.logical_and, self, other)

    def __rand__(self, other: Any) -> Self:
        return _binary(table.logical_and, other, self)

    def __or__(self, other: Any) -> Self:
        return _binary(table.logical_or, self, other)

    def __ror__(self, other: Any) -> Self:
        return _binary(table.logical_or, other, self)

    def __xor__(self, other: Any) -> Self:
        return _xor(self, other)

    def __rxor__(self, other: Any) -> Self:
        return _xor(other, self)

    def __invert__(self) -> Self:
        return self._apply(table.logical_not, (self,))

    __hash__ = object.__hash__

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        op = table.UFUNCS.get(ufunc.__name__)
        if op is None or method != "__call__" or options:
            return NotImplemented
        return op(*inputs)


def _binary(op: Op, a: Any, b: Any) -> Any:
    if type(a) is type(b):  # by far the most, when a function is traced
        return a._operate(op, (a, b))
    operand = a if isinstance(a, Operators) else b
    if a is None or b is None or isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        other = b if operand is a else a
        return op(a, b) if isinstance(other, np.ndarray) else NotImplemented
    try:
        return operand._operate(op, (a, b))
    except TypeError:
        is_equality = op in (table.equal, table.not_equal)
        if not is_equality and isinstance(b if operand is a else a, KNOWN):
            raise
        return NotImplemented  # a class of somebody else's, whose own operator is asked then


def _xor(a: Any, b: Any) -> Any:
    """Compare truths: one operand is true, and the other is not."""
    known = (*KNOWN, Operators, np.ndarray)
    if isinstance(a, known) and isinstance(b, known):
        return table.not_equal(table.logical_not(a), table.logical_not(b))
    return NotImplemented


def _method(op: Op) -> Any:
    def method(self: Operators, *others: Any) -> Any:
        return op(self, *others)

    method.__name__ = op.name
    method.__doc__ = f"`{op.expression}`, see the op table."
    return method


for _op in table.TABLE.values():
    for _name in {_op.name, _op.ufunc} - {""}:
        if not hasattr(Operators, _name):
            setattr(Operators, _name, _method(_op))
