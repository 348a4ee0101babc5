"""A function with a rule for its derivative, which serves every mode and every order.

A call gives `with_slope(v, x, s)` for each argument x: its value is `v`, what the function computes
of arguments that derivatives take for constants, and its slope by x is `s`, from the rule. So all
that differentiates the op table differentiates this; `passes/erase.py` leaves `v` of it.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from gradcompile.graph.arrays import value_array
from gradcompile.graph.nested import Structure, flatten, unflatten
from gradcompile.ops.op import CONTAINERS, array_of, elementwise
from gradcompile.ops.opaque import OpaqueOp, opaque_op
from gradcompile.ops.unwritten import held
from gradcompile.own.linear import Rule, RuleSlopes, slopes_of
from gradcompile.own.slopes import MAX_ORDER, is_value, with_slopes

_order: ContextVar[int] = ContextVar("_order", default=0)
"""How many rules are being traced, each called by the one before."""


class Custom:
    """A function with a rule of its own; what `gdc.custom` returns.

    Attributes:
        function: computes the value.
        jvp: makes the tangent of the value.
    """

    def __init__(self, function: Callable[..., Any], jvp: Rule) -> None:
        self.__name__ = getattr(function, "__name__", "") or getattr(function, "name", "function")
        self.__doc__ = function.__doc__
        self.function = function
        self.jvp = jvp
        self._slopes: dict[tuple[Structure, Structure, int], RuleSlopes] = {}

    def __call__(self, *args: Any) -> Any:
        """Call the function; of Values the result has the slopes of the rule."""
        leaves, arguments = flatten(args, is_leaf=is_value)
        if not any(map(is_value, leaves)):
            return self.function(*args)
        constant = [held(x) if is_value(x) else x for x in leaves]
        returned = self.function(*unflatten(arguments, constant, _array))
        values, result = flatten(returned, is_leaf=is_value)
        slopes = self._at(leaves, arguments, result)
        sloped = [with_slopes(v, leaves, by) for v, by in zip(values, slopes, strict=True)]
        return unflatten(result, sloped, _array)

    def _at(self, leaves: list[Any], arguments: Structure, result: Structure) -> list[list[Any]]:
        order = _order.get() + 1
        if order > MAX_ORDER:
            return [[float("nan")] * len(leaves)] * result.size
        known = self._slopes.get((arguments, result, order))
        if known is None:
            token = _order.set(order)
            try:
                known = slopes_of(self.jvp, self.__name__, arguments, result)
            finally:
                _order.reset(token)
            self._slopes[arguments, result, order] = known
        return known.at(leaves)

    def __repr__(self) -> str:
        return f"<custom {self.__name__}>"


class CustomNumbers(Custom):
    """A function of numbers, of which only the numbers are known, with a rule of its own.

    Of arrays it is applied to each item.
    """

    function: OpaqueOp

    @property
    def name(self) -> str:
        """What errors call it."""
        return self.__name__

    @property
    def arity(self) -> int:
        """Count the numbers that it takes."""
        return self.function.arity

    def __call__(self, *args: Any) -> Any:
        """Call the function; of Values the result has the slopes of the rule."""
        if any(isinstance(x, CONTAINERS) for x in args):
            return elementwise(self, args)
        return super().__call__(*args)


def custom(function: Callable[..., Any], *, jvp: Rule) -> Custom:
    """Give a function a rule for its derivative, in place of the derivative of its operations.

    Args:
        function: of numbers, lists, tuples, dicts, records or arrays, given by position. It
            computes the value: where it is traced, by operations of the table. Or a function of
            numbers that numba has compiled, which cannot be traced: emitted text calls it.
        jvp: `jvp(primals, tangents)` returns the tangent of the value alone, in the structure of
            the value. Both arguments are tuples, one entry an argument of the function; the rule
            is linear in the tangents. It may call the function itself.

    Returns:
        A function of the same arguments. It may be called with numbers, with Values, and in
        functions that are traced.

    Raises:
        TypeError: `function` or `jvp` cannot be called.

    Example:
        >>> import gradcompile as gdc
        >>> def rule(primals, tangents):
        ...     (x,), (x_dot,) = primals, tangents
        ...     return x_dot / (1.0 + gdc.exp(-x))
        >>> softplus = custom(lambda x: gdc.log(1.0 + gdc.exp(x)), jvp=rule)
        >>> gdc.compile(lambda x: softplus(x)).grad(0.0)
        Gradient(x=0.5)
    """
    given: Any
    for name, given in (("function", function), ("jvp", jvp)):
        if not callable(given):
            kind = type(given).__name__
            raise TypeError(f"custom: {name}: expected a function, got {kind} {given!r:.60}")
    if hasattr(function, "py_func"):  # numba has compiled it: it cannot be traced
        return CustomNumbers(opaque_op(function), jvp)
    return Custom(function, jvp)


def _array(items: list[Any], shape: tuple[int, ...]) -> Any:
    return array_of(value_array(items, shape))
