"""Do two emitted texts compute the same? Rolled text is compared with straight-line text by this.

Both texts are run on fingerprints instead of numbers: remainders of a large prime, random ones for
the inputs. Sums and products are those of the field, so that neither order nor grouping matters;
every other operation hashes its name with the fingerprints of its operands. So the loops are
unrolled again, statement by statement, and a result that agrees was made from the same inputs by
the same operations (for sums and products: Schwartz, J. ACM 27, 1980).
"""

import ast
import hashlib
import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from gradcompile import blocks, products
from gradcompile.ops.table import TABLE

MODULUS = (1 << 127) - 1
"""A prime, of which fingerprints are the remainders: two agree by chance once in 10**38."""


class Fingerprint:
    """What stands for a number: equal if it was computed in the same way."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value % MODULUS

    def __add__(self, other: Any) -> "Fingerprint":
        return Fingerprint(self.value + _value(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Fingerprint":
        return Fingerprint(self.value - _value(other))

    def __rsub__(self, other: Any) -> "Fingerprint":
        return Fingerprint(_value(other) - self.value)

    def __neg__(self) -> "Fingerprint":
        return Fingerprint(-self.value)

    def __mul__(self, other: Any) -> "Fingerprint":
        return Fingerprint(self.value * _value(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Fingerprint":
        return Fingerprint(self.value * _inverse(other))

    def __rtruediv__(self, other: Any) -> "Fingerprint":
        return Fingerprint(_inverse(self) * _value(other))

    def __pow__(self, other: Any) -> "Fingerprint":
        return apply("**", self, other)

    def __rpow__(self, other: Any) -> "Fingerprint":
        return apply("**", other, self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and self.value == other.value

    def __hash__(self) -> int:
        return self.value


def _value(x: Any) -> int:
    """Read the fingerprint of an operand, or of a plain number."""
    return x.value if isinstance(x, Fingerprint) else _number(float(x))


def _inverse(x: Any) -> int:
    """Find what dividing by an operand multiplies with; for a number, its inverse in the field."""
    number = 0 if isinstance(x, Fingerprint) else _value(x)
    return pow(number, -1, MODULUS) if number else apply("1 /", x).value


@lru_cache(maxsize=4096)
def _number(x: float) -> int:
    """Find the element of the field that a number is, so that sums of numbers are sums there."""
    if not math.isfinite(x):
        return _hash(b"number", x.hex().encode())
    numerator, denominator = x.as_integer_ratio()
    return numerator * pow(denominator, -1, MODULUS) % MODULUS


def _hash(*parts: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(b"\0".join(parts), digest_size=16).digest())


def apply(operation: str, *operands: Any) -> Fingerprint:
    """Hash an operation with its operands: sums do not see the sign of 0, all others do."""
    values = [_sign_of_zero(x) + _value(x).to_bytes(16) for x in operands]
    if operation in _COMMUTATIVE:
        values.sort()
    return Fingerprint(_hash(operation.encode(), *values))


def _sign_of_zero(x: Any) -> bytes:
    if isinstance(x, Fingerprint):
        return b"-" if x is NEGATIVE_ZERO else b""
    return b"-" if x == 0.0 and math.copysign(1.0, x) < 0.0 else b""


NEGATIVE_ZERO = Fingerprint(0)
"""What stands for the number -0.0 of a text."""

_COMMUTATIVE = {op.name for op in TABLE.values() if op.commutative} | {"Eq", "NotEq", "And", "Or"}


class _Calls(ast.NodeTransformer):
    """Comparisons, conditions and numbers as calls.

    Python would ask a fingerprint whether it is true; and it would round what is computed from the
    numbers in the text alone, so that another order gave something else.
    """

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, float):
            return node
        return ast.Call(ast.Name("_constant", ast.Load()), [node], [])

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        operands = zip([node.left, *node.comparators], node.comparators, strict=False)
        parts: list[ast.expr] = [
            _call(type(operator).__name__, left, right)
            for operator, (left, right) in zip(node.ops, operands, strict=True)
        ]
        return parts[0] if len(parts) == 1 else _call("And", *parts)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        return _call(type(node.op).__name__, *node.values)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if ast.unparse(node) == "-0.0":
            return ast.Name("_negative_zero", ast.Load())
        self.generic_visit(node)
        return _call("Not", node.operand) if isinstance(node.op, ast.Not) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        self.generic_visit(node)
        return _call("IfExp", node.test, node.body, node.orelse)


def _call(name: str, *arguments: ast.expr) -> ast.expr:
    return ast.Call(ast.Name("_apply", ast.Load()), [ast.Constant(name), *arguments], [])


def _constant(x: float) -> Fingerprint:
    return Fingerprint(_number(x))


def fingerprints(source: str, function: str, *arguments: Any) -> list[list[Fingerprint]]:
    """Run an emitted function on fingerprints: one list for each of its results.

    Args:
        source: the emitted module.
        function: its name.
        arguments: the arrays it takes: of fingerprints, and the integers of tables.
    """
    tree = ast.fix_missing_locations(_Calls().visit(ast.parse(source)))
    names = _Names(
        {
            "_apply": apply,
            "_constant": _constant,
            "_negative_zero": NEGATIVE_ZERO,
            "range": range,
        }
    )
    body = [node for node in tree.body if not isinstance(node, ast.ImportFrom)]
    exec(compile(ast.Module(body, []), "<fingerprints>", "exec"), names)  # our own emitted text
    parts = _flat(names[function](*arguments))
    return [[Fingerprint(_value(x)) for x in np.ravel(np.array(part, object))] for part in parts]


def _flat(result: Any) -> list[Any]:
    """What a function returned, without the tuples around it."""
    if not isinstance(result, tuple):
        return [result]
    return [part for inner in result for part in _flat(inner)]


def _are_integers(operands: tuple[Any, ...]) -> bool:
    return all(isinstance(x, int) for x in operands)


def _columns(rows: Any, start: int, count: int, memory: Any) -> Any:
    turned = rows[start : start + count].reshape(count, -1).T
    others = np.full(
        (len(turned), -count % blocks.ROWS_PER_CACHE_LINE if count > 1 else 0),
        apply("another row"),
        object,
    )
    return np.concatenate([turned, others], axis=1)


_OBJECTS: dict[str, Callable[..., Any]] = {
    "empty": lambda shape: np.full(shape, apply("empty"), object),
    "zeros": lambda shape: np.full(shape, 0.0, object),
    "array": lambda values: np.array(values, object),
    "columns": _columns,
    "divide": blocks.divide,
    "len": len,
    "scratch": lambda *shape: np.full(shape, apply("empty"), object),
    **products.FUNCTIONS,
}
"""What makes arrays, here of fingerprints, and what goes through them."""


class _Names(dict[str, Any]):
    """The names of an emitted text: every function that it imports hashes its operands."""

    def __missing__(self, name: str) -> Callable[..., Any] | float:
        if name in ("inf", "nan"):
            return float(name)
        if name in _OBJECTS:
            return _OBJECTS[name]
        if name == "min":  # also where the rounds of a loop end
            return lambda *operands: (
                min(operands) if _are_integers(operands) else apply(name, *operands)
            )
        if name in ("float64", "bool"):  # they change the type of a number, not its value
            return lambda x: x
        return lambda *operands: apply(name, *operands)
