"""`Value`: a scalar in an expression graph, evaluated eagerly. A superset of micrograd's.

>>> from gradcompile import Value
>>> a = Value(2.0, label="a")
>>> L = (a * -3.0 + 10.0).tanh()
>>> L.backward()
>>> round(L.data, 6), round(a.grad, 6)
(0.999329, -0.004023)
"""

import numbers
import sys
from collections.abc import Callable, Container, Iterable
from contextvars import ContextVar
from typing import Any, NoReturn

from gradcompile.graph.arrays import ValueArray, answer_function, answer_ufunc
from gradcompile.graph.bindings import KNOWN, Bound, binding
from gradcompile.graph.copies import Copied
from gradcompile.graph.own import OwnOp, OwnOperations
from gradcompile.graph.scalars import Scalar
from gradcompile.graph.users import TraceError, stop
from gradcompile.ops.op import Op, as_float
from gradcompile.ops.table import equal, not_equal, pow_

MADE: "ContextVar[Callable[[TracedValue], None] | None]" = ContextVar("MADE", default=None)
"""Is told of each traced value that the trace of this thread makes, where somebody asks for it."""

DECIDE: "ContextVar[Callable[[TracedValue], bool] | None]" = ContextVar("DECIDE", default=None)
"""Tells the trace of this thread which way to go where a traced condition decides."""


svg: "Callable[[Value], str] | None" = None
"""Draws a Value for a notebook. `gradcompile.api` sets it: pictures stand above graphs."""


class Value(OwnOperations, Copied, Scalar):
    """A scalar that remembers how it was computed.

    Args:
        data: its number (int, float or a numpy scalar; kept as a float).
        _children: the Values that an operation of your own made it from, as in micrograd; assign
            `_backward` what adds to their gradients. A text is taken as the label.
        _op: the name of that operation.
        label: its name in pictures and emitted code; any text.

    Attributes:
        data: the number.
        grad: what `backward()` found: d(root)/d(self).
        label: the name, or "".
        op: the `Op` that made it; None for a leaf.
        operands: the Values it was made from, in order; a constant operand is a leaf.

    Raises:
        TypeError: `data` is no real number, or a child no Value.

    Example:
        >>> x = Value(3.0, label="x")
        >>> y = x * x + 1
        >>> y.backward()
        >>> y, x
        (Value(data=10.0, grad=1.0), Value(data=3.0, grad=6.0, label='x'))
    """

    __slots__ = ("__weakref__", "data", "grad")

    data: float
    grad: float
    operands: "tuple[Value, ...]"
    bound: Bound = ""
    _arrays = ValueArray
    __array_ufunc__ = answer_ufunc
    __array_function__ = answer_function

    def __init__(
        self, data: float, _children: "Iterable[Value] | str" = (), _op: str = "", label: str = ""
    ) -> None:
        self.data = as_float(data, "Value")
        self.grad = 0.0
        self.label = str(label)
        self.op = None
        self.operands = ()
        if _children or _op:
            self._become_own(_children, _op)

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "Value":
        values = _values(op, operands)
        for value in values:
            if isinstance(value, TracedValue):
                return TracedValue(op, values)
        return _node(op, values)

    _operate = _apply

    def backward(self) -> None:
        """Set `grad` throughout the graph to the derivative of this value.

        Gradients of leaves accumulate over calls until `zero_grad`; those of inner values are set
        anew each time, as in PyTorch. Iterative: the depth of the graph does not matter.
        """
        order = [value for value in topological(self) if value.op is not None]
        if not order:
            self.grad += 1.0
            return
        for value in order:
            value.grad = 0.0
        self.grad = 1.0
        # What only blocked operands of gates lead to is never reached: its inf and nan stay there.
        reached = {id(self)}
        for value in reversed(order):
            if id(value) in reached:
                reached.update(map(id, value._propagate()))

    def _propagate(self) -> "list[Value]":
        """Add this value's contributions to its operands' gradients, and give those reached."""
        reached: list[Value] = []
        if self.op is None:
            return reached
        if isinstance(self.op, OwnOp):
            return list(self.operands) if self.op.runs_backward() else reached
        inputs = [x.data for x in self.operands]
        for index, (operand, partial) in enumerate(
            zip(self.operands, self.op.partials, strict=True)
        ):
            if partial is None or isinstance(operand, Constant):
                continue
            selects = self.op.selects[index] if self.op.selects else None
            if selects is not None and not selects(self.data, *inputs):
                continue
            operand.grad += self.grad * self.op.slope(index, self.data, inputs)
            reached.append(operand)
        return reached

    def zero_grad(self) -> None:
        """Set `grad` to 0 in the whole graph below this value."""
        for value in topological(self):
            value.grad = 0.0

    def __bool__(self) -> bool:
        # Lists look for their items by ==, which in micrograd asks whether it is the same object.
        if self.op in (equal, not_equal) and not any(
            isinstance(x, Constant) for x in self.operands
        ):
            a, b = self.operands
            return (a is b) is (self.op is equal)
        raise TypeError(
            "a Value is neither true nor false, as `if`, `and`, `max` and `sorted` would have it: "
            "compare `.data`, or keep the gradient by gdc.maximum, gdc.minimum or "
            "gdc.where(condition, a, b)"
        )

    def __float__(self) -> float:
        raise TypeError(
            "a Value does not become a plain number by itself, for its gradient would be lost: "
            "use `.data` to detach it, or gradcompile's functions, such as gdc.exp, to keep it"
        )

    __int__ = __complex__ = __float__

    def __format__(self, spec: str) -> str:
        return format(self.data, spec) if spec else str(self)

    def _below(self, known: "Container[Value]") -> "list[Value]":
        return topological(self, stop_at=known)

    def __repr__(self) -> str:
        label = f", label={self.label!r}" if self.label else ""
        return f"Value(data={self.data}, grad={self.grad}{label})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        try:
            picture = {"image/svg+xml": svg(self)} if svg is not None else {}
        except (ValueError, RuntimeError):  # too large a graph, or nothing that could lay it out
            picture = {}
        return {"text/plain": repr(self), **picture}

    @property
    def _op(self) -> str:
        """The operation as micrograd writes it, for code written for it."""
        if self.op is None:
            return ""
        if self.op is pow_ and isinstance(self.operands[1], Constant):
            return f"**{self.operands[1].data:g}"
        return self.op.symbol or self.op.name


class Constant(Value):
    """A number in an expression: a leaf that needs no gradient."""

    __slots__ = ()


def _refuse_machine_code(value: Value) -> NoReturn:
    raise TraceError(
        "a function that numba compiled cannot be traced; "
        "give it a rule: gdc.custom(function, jvp=rule)"
    )


class TracedValue(Value):
    """A scalar of a function that is being traced: it has operands, but no number yet."""

    __slots__ = ("bound",)

    _numba_type_ = property(_refuse_machine_code)  # numba asks for it

    def __init__(self, op: Op | None, operands: tuple[Value, ...], label: str = "") -> None:
        self.op = op
        self.operands = operands
        self.label = label
        self.bound = "" if op is None else binding(sys._getframe(2))
        made = MADE.get()
        if made is not None:
            made(self)

    def _apply(self, op: Op, operands: tuple[Any, ...]) -> "TracedValue":
        return TracedValue(op, _values(op, operands))

    def _operate(self, op: Op, operands: tuple[Any, ...]) -> "TracedValue":
        value = _new(TracedValue)
        value.op = op
        a, b = operands
        value.operands = operands if type(a) is type(b) else _values(op, operands)
        value.label = ""
        frame = sys._getframe(3)  # past `_binary` and the operator
        bound = KNOWN.get(id(frame.f_code) + frame.f_lasti)
        value.bound = binding(frame) if bound is None else bound
        made = MADE.get()
        if made is not None:
            made(value)
        return value

    def __bool__(self) -> bool:
        decide = DECIDE.get()
        if decide is None:
            stop("a traced value has no truth when its trace has ended", "compute with numbers")
        return decide(self)

    @property
    def data(self) -> NoReturn:  # type: ignore[override]
        """None yet: the function is being traced."""
        stop("a traced value has no `.data`", "compute with the value itself")

    @property
    def grad(self) -> NoReturn:  # type: ignore[override]
        """None yet: the function is being traced."""
        stop("a traced value has no `.grad`", "call `.grad(...)` on the compiled function")

    def backward(self) -> NoReturn:
        """Stop: there are no numbers while tracing."""
        stop(
            "`backward()` cannot be traced", "return the value and call `.grad` on the compiled one"
        )

    def __float__(self) -> NoReturn:
        stop(
            "a traced value has no number yet",
            "leave float() and dtype=float out, use gdc.exp instead of math.exp, and make an array "
            "that is to hold it with dtype=object",
        )

    __complex__ = __float__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __index__(self) -> NoReturn:  # noqa: PLE0305
        stop(
            "a traced value cannot be a count, an index or an int",
            "use a number that is known while tracing, such as the length of an argument, name the "
            "argument in `static=`, or use gdc.floor",
        )

    __int__ = __index__

    def __copy__(self) -> "TracedValue":
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "TracedValue":
        return self

    def __reduce__(self) -> NoReturn:
        stop("a traced value cannot be pickled", "pickle the compiled function, or its results")

    def __repr__(self) -> str:
        return f"TracedValue({self.label or (self.op.name if self.op else 'input')})"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": repr(self)}


_new = object.__new__


def traced_value(op: Op, operands: tuple[Value, ...], bound: Bound) -> TracedValue:
    """Make a traced value that no code of the user's makes, under the name of one that it made."""
    value = _new(TracedValue)
    value.op, value.operands, value.label, value.bound = op, operands, "", bound
    return value


def _values(op: Op, operands: tuple[Any, ...]) -> tuple[Value, ...]:
    """Make constants of the numbers among operands."""
    for operand in operands:
        if not isinstance(operand, Value):
            break
    else:
        return operands
    return tuple([x if isinstance(x, Value) else Constant(op.as_float(x)) for x in operands])


def _node(op: Op, operands: tuple[Value, ...]) -> Value:
    value = Value.__new__(Value)
    value.data = op.evaluate(*[x.data for x in operands])
    value.grad = 0.0
    value.label = ""
    value.op = op
    value.operands = operands
    return value


def topological(*roots: Value, stop_at: Container[Value] = ()) -> list[Value]:
    """List every Value that the roots are made from, operands before users; iterative.

    Args:
        roots: where to start.
        stop_at: Values whose operands are not looked at.
    """
    order: list[Value] = []
    seen: set[Value] = set()
    users: list[Value] = []  # those whose operands are on the stack
    stack: list[Value | None] = [*reversed(roots)]
    while stack:
        value = stack.pop()
        if value is None:  # all operands of the latest user are in order
            order.append(users.pop())
        elif value not in seen:
            seen.add(value)
            if not value.operands or value in stop_at:
                order.append(value)
            else:
                users.append(value)
                stack.append(None)
                stack += value.operands[::-1]
    return order


# So that code which asks whether it is given a number, as `numpy.isscalar` does, goes on with it.
numbers.Real.register(Value)
