"""One row of the op table: what an operation is, and what follows from its row.

A row says what an operation computes (`expression`, Python text over its operands), how it varies
(`partials`, one function per operand), and where it is smooth (`domain`, `kinks`). Everything else
follows from the row: methods and functions, eager evaluation, constant folding, emission, both
modes of differentiation, the lift to sympy, numpy's ufuncs, the command line, the tests.

A partial is written with overloaded operands, given the result `y`: the same lambda runs on floats
(eager `backward`), on references into a program (`autodiff/reverse.py`) and on symbols (the check
against sympy). It is called only for an operand that is active, so `x**2` never asks for `log(x)`.
"""

import ast
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any, Protocol

import numpy as np

from gradcompile import ieee
from gradcompile.support.arrays import require_unmasked

CONTAINERS = (np.ndarray, list, tuple)
"""The types of operands that an operation is applied to item by item."""

CONDITIONS = ("c", "d")
"""The operand names that the table uses for conditions: 0.0 is false, all else is true."""


Partial = Callable[..., Any] | None


_EMITTED = {"float64": np.float64, **{name: getattr(ieee, name) for name in ieee.FUNCTIONS}}
"""The names that an expression may use beside Python's own: those that emitted code imports."""


@dataclass(frozen=True, eq=False)
class Op:
    """One operation. Calling it applies it: to numbers, `Value`s, or arrays of either.

    Attributes:
        name: the operation's name; also the name of its function and its method.
        operands: the names that `expression`, `sympy` and `domain` use, in order.
        expression: what it computes, as Python text; functions come from `gradcompile.ieee`.
        partials: the partial derivative by each operand, called with (result, *operands); None
            where the result does not vary with the operand.
        symbol: how pictures show it.
        sympy: the meaning as sympy text, where it is not `expression` read by sympy.
        domain: the open set where it is smooth, as Python text; kinks are left out of it.
        kinks: sample points where it is not smooth, each with the slopes chosen there.
        commutative: its two operands may be exchanged.
        gate: it gives one of its operands, exactly.
        selects: for each operand, the condition under which it counts; None for always. What does
            not count contributes exactly nothing, whatever inf or nan its computation meets.
        defaults: values for the last operands, where they may be left out.
        ufunc: the name of numpy's or scipy's ufunc for it, where it differs from `name`.
    """

    name: str
    operands: str
    expression: str
    partials: tuple[Partial, ...]
    symbol: str = ""
    sympy: str | None = None
    domain: str = "True"
    kinks: Mapping[tuple[float, ...], tuple[float, ...]] | None = None
    commutative: bool = False
    gate: bool = False
    selects: tuple[Partial, ...] = ()
    defaults: tuple[float, ...] = ()
    ufunc: str = ""

    is_opaque = False
    """Is it a function of the user's own, of which only the numbers are known?"""

    @cached_property
    def operand_names(self) -> tuple[str, ...]:
        """The operands' names, one by one."""
        return tuple(self.operands.split())

    @property
    def arity(self) -> int:
        """Count the operands that it takes."""
        return len(self.partials)

    @cached_property
    def obeys(self) -> bool:
        """Tell whether a condition among the operands selects, and no comparison of the others."""
        return any(self.selects) and any(name in CONDITIONS for name in self.operand_names)

    @cached_property
    def template(self) -> ast.expr:
        """The expression as a syntax tree over the operand names."""
        return ast.parse(self.expression, mode="eval").body

    @cached_property
    def repeats(self) -> tuple[bool, ...]:
        """Tell for each operand whether the expression reads it more than once."""
        names = [node.id for node in ast.walk(self.template) if isinstance(node, ast.Name)]
        return tuple(names.count(operand) > 1 for operand in self.operand_names)

    @cached_property
    def _is_computed(self) -> bool:
        # What these compute inside may be inf, of which numpy's numbers warn.
        names = [node.id for node in ast.walk(self.template) if isinstance(node, ast.Name)]
        return any(name in ieee.COMPUTED for name in names)

    @cached_property
    def _on_floats(self) -> Callable[..., Any]:
        direct = {name: getattr(math, name) for name in ieee.MATH}
        return _compiled(self.operand_names, self.expression, {**_EMITTED, **direct})

    @cached_property
    def _on_float64s(self) -> Callable[..., Any]:
        return _compiled(self.operand_names, self.expression, _EMITTED)

    @cached_property
    def on_fractions(self) -> Callable[..., Any] | None:
        """The result for fractions, without rounding; None where arithmetic is not enough."""
        nodes = [node for node in ast.walk(self.template) if not isinstance(node, ast.Name)]
        calls = {ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)}
        if calls - {"float64", "bool"} or any(isinstance(x, ast.Constant | ast.Pow) for x in nodes):
            return None
        return _compiled(self.operand_names, self.expression, {"float64": lambda x: x})

    @cached_property
    def contains(self) -> Callable[..., bool]:
        """Tells whether a point lies in the domain."""
        return _compiled(self.operand_names, self.domain, vars(math))

    def evaluate(self, *operands: float) -> float:
        """Compute the result for floats, by IEEE-754; never raises."""
        try:
            if not self._is_computed:
                result = self._on_floats(*operands)
                if type(result) is not complex:
                    return float(result)
        except (ArithmeticError, ValueError):
            pass
        with np.errstate(all="ignore"):
            return float(self._on_float64s(*map(np.float64, operands)))

    def __call__(self, *operands: Any) -> Any:
        """Apply the operation; elementwise where some operands are arrays, lists or tuples."""
        missing = len(self.partials) - len(operands)
        if 0 < missing <= len(self.defaults):
            operands += self.defaults[-missing:]
        elif missing:
            operand = "operand" if self.arity == 1 else "operands"
            raise TypeError(f"{self.name}() takes {self.arity} {operand}, got {len(operands)}")
        for operand in operands:
            if isinstance(operand, CONTAINERS):
                return elementwise(self, operands)
        for operand in operands:
            apply = getattr(operand, "_apply", None)
            if apply is not None:
                return apply(self, operands)
        result = self.evaluate(*map(self.as_float, operands))
        return np.float64(result) if any(isinstance(x, np.float64) for x in operands) else result

    def slope(self, index: int, result: float, operands: Sequence[float]) -> float:
        """Compute the partial by one operand as a float, by IEEE-754; never raises."""
        partial = self.partials[index]
        if partial is None:
            return 0.0
        try:
            slope = partial(result, *operands)
            if type(slope) is not complex:
                return float(slope)
        except (ArithmeticError, TypeError):  # TypeError: a root of a negative number is complex
            pass
        with np.errstate(all="ignore"):
            return float(partial(np.float64(result), *map(np.float64, operands)))

    def as_float(self, x: Any) -> float:
        """Convert `x` to a float for one of the operands.

        Raises:
            TypeError: it is no real number.
        """
        return as_float(x, self.name)

    def __repr__(self) -> str:
        return f"<op {self.name}({', '.join(self.operand_names)}) = {self.expression}>"


def _compiled(arguments: Sequence[str], text: str, names: Mapping[str, Any]) -> Callable[..., Any]:
    # The text is the table's own, never a user's.
    function: Callable[..., Any] = eval(f"lambda {', '.join(arguments)}: {text}", dict(names))
    return function


class OfNumbers(Protocol):
    """What can be applied to numbers, as many as its arity."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def arity(self) -> int:
        """Count the numbers."""

    def __call__(self, *operands: Any) -> Any:
        """Apply it."""


def elementwise(op: OfNumbers, operands: tuple[Any, ...]) -> Any:
    """Apply what takes numbers to numbers, arrays, lists and tuples of them, item by item."""
    require_unmasked(op.name, *operands)
    arrays = [np.asarray(x) if isinstance(x, np.ndarray) else _object_array(x) for x in operands]
    try:
        # numpy looks at the flags of the processor, which comparing nan may leave raised.
        with np.errstate(all="ignore"):
            result = np.frompyfunc(op, op.arity, 1)(*arrays)
    except ValueError as error:
        shapes = " and ".join(str(array.shape) for array in arrays)
        raise ValueError(f"{op.name}: operands of shapes {shapes} do not match") from error
    return array_of(result) if isinstance(result, np.ndarray) else result


def array_of(items: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Make what a user gets of an array of objects: of numbers alone one of float64.

    Of others it is an array of the kind that they say.
    """
    kinds = set(map(type, items.ravel().tolist()))
    if kinds <= {float}:
        return items.view(np.ndarray).astype(np.float64)
    return items.view(
        next((kind._arrays for kind in kinds if hasattr(kind, "_arrays")), np.ndarray)
    )


def _object_array(operand: Any) -> np.ndarray[Any, Any]:
    if isinstance(operand, list | tuple):
        return np.array(operand, dtype=object)
    array = np.empty((), dtype=object)
    array[()] = operand
    return array


def as_float(x: Any, user: str) -> float:
    """Convert `x` to a float.

    Raises:
        TypeError: it is no real number; the message begins with `user`.
    """
    if type(x) is float:
        return x
    if not isinstance(x, Real | np.bool_) and not _is_decimal(x):
        raise TypeError(
            f"{user}: expected a real number or a Value, got {type(x).__name__} {x!r:.60}"
        )
    try:
        return float(x)
    except OverflowError:
        return -math.inf if str(x)[0] == "-" else math.inf


def _is_decimal(x: Any) -> bool:
    decimal = sys.modules.get("decimal")  # where nobody has loaded it, there is none
    return decimal is not None and isinstance(x, decimal.Decimal)
