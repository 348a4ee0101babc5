"""What numpy's and scipy's ufuncs do on arrays of objects, where these are Values.

They are looked up by name, so that scipy need not be there. Those in `BY_OPERATORS` are left to
numpy, whose loops use Python's operators. The rest are rows of the op table, or built from them.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcompile.ops import table

BY_OPERATORS = frozenset({
    "add", "subtract", "multiply", "divide", "negative", "positive", "power", "absolute", "square",
    "reciprocal", "conjugate", "matmul", "vecdot", "matvec", "vecmat", "bitwise_and", "bitwise_or",
    "invert",
})  # fmt: skip
"""Ufuncs that numpy computes by Python's operators."""


def _fmax(a: Any, b: Any) -> Any:
    return table.where(_isnan(a), b, table.where(_isnan(b), a, table.maximum(a, b)))


def _fmin(a: Any, b: Any) -> Any:
    return table.where(_isnan(a), b, table.where(_isnan(b), a, table.minimum(a, b)))


def _isnan(x: Any) -> Any:
    return table.not_equal(x, x)


def _xor(c: Any, d: Any) -> Any:
    return table.not_equal(table.logical_not(c), table.logical_not(d))


COMPOSED: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "divmod": (2, 2, lambda a, b: (table.floor_divide(a, b), table.remainder(a, b))),
    "modf": (1, 2, lambda x: (table.sub(x, table.trunc(x)), table.trunc(x))),
    "fabs": (1, 1, table.abs_),
    "real": (1, 1, lambda x: x),
    "imag": (1, 1, lambda x: table.mul(x, 0.0)),
    "fmax": (2, 1, _fmax),
    "fmin": (2, 1, _fmin),
    "isnan": (1, 1, _isnan),
    "isinf": (1, 1, lambda x: table.equal(table.abs_(x), math.inf)),
    "isfinite": (1, 1, lambda x: table.less(table.abs_(x), math.inf)),
    "signbit": (1, 1, lambda x: table.less(table.copysign(1.0, x), 0.0)),
    "radians": (1, 1, lambda x: table.mul(x, math.pi / 180.0)),
    "deg2rad": (1, 1, lambda x: table.mul(x, math.pi / 180.0)),
    "degrees": (1, 1, lambda x: table.mul(x, 180.0 / math.pi)),
    "rad2deg": (1, 1, lambda x: table.mul(x, 180.0 / math.pi)),
    "float_power": (2, 1, table.pow_),
    "logical_xor": (2, 1, _xor),
    "bitwise_xor": (2, 1, _xor),
    "ldexp": (2, 1, lambda x, n: table.mul(x, table.exp2(n))),
    "logaddexp2": (
        2, 1, lambda a, b: table.div(table.logaddexp(table.mul(a, table.LN2),
                                                     table.mul(b, table.LN2)), table.LN2)
    ),
}  # fmt: skip
"""Ufuncs that are built from rows: how many operands and results they have, and how."""


def _exprel(x: Any) -> Any:
    ends = table.logical_or(table.equal(x, 0.0), table.equal(x, math.inf))
    line = table.add(table.mul(x, 0.5), 1.0)
    return table.where(ends, line, table.div(table.expm1(x), x))


def _huber(delta: Any, x: Any) -> Any:
    size = table.abs_(x)
    line = table.mul(delta, table.sub(size, table.mul(delta, 0.5)))
    loss = table.where(table.less_equal(size, delta), table.mul(table.square(x), 0.5), line)
    return _inf_where(table.less(delta, 0.0), loss)


def _pseudo_huber(delta: Any, x: Any) -> Any:
    root = table.sqrt(table.add(table.square(table.div(x, delta)), 1.0))
    loss = table.mul(table.square(delta), table.sub(root, 1.0))
    loss = table.where(table.equal(delta, 0.0), 0.0, loss)
    return _inf_where(table.less(delta, 0.0), loss)


def _inf_where(condition: Any, x: Any) -> Any:
    """Make what scipy's losses and entropies are for arguments that have no place in them."""
    return table.where(condition, math.inf, x)


def _boxcox(x: Any, power: Any) -> Any:
    rise = table.expm1(table.mul(power, table.log(x)))
    return table.where(table.equal(power, 0.0), table.log(x), table.div(rise, power))


def _rel_entr(a: Any, b: Any) -> Any:
    return _inf_where(_is_negative(a, b), _entropy(a, b))


def _kl_div(a: Any, b: Any) -> Any:
    return _inf_where(_is_negative(a, b), table.add(table.sub(_entropy(a, b), a), b))


def _entropy(a: Any, b: Any) -> Any:
    """Multiply a * log(a / b); 0 where both are 0."""
    both = table.logical_and(table.equal(a, 0.0), table.equal(b, 0.0))
    return table.xlogy(a, table.where(both, 1.0, table.div(a, b)))


def _is_negative(a: Any, b: Any) -> Any:
    return table.logical_or(table.less(a, 0.0), table.less(b, 0.0))


OF_SCIPY: dict[str, tuple[int, int, Callable[..., Any]]] = {
    "exprel": (1, 1, _exprel),
    "exp10": (1, 1, lambda x: table.pow_(10.0, x)),
    "cosm1": (1, 1, lambda x: table.mul(table.square(table.sin(table.mul(x, 0.5))), -2.0)),
    "erfcinv": (1, 1, lambda x: table.mul(table.ndtri(table.mul(x, 0.5)), -table.SQRT_HALF)),
    "beta": (2, 1, lambda a, b: table.exp(table.betaln(a, b))),
    "boxcox": (2, 1, _boxcox),
    "rel_entr": (2, 1, _rel_entr),
    "kl_div": (2, 1, _kl_div),
    "huber": (2, 1, _huber),
    "pseudo_huber": (2, 1, _pseudo_huber),
}
"""Those of scipy's."""


def _of_items(name: str, operands: int, results: int, function: Callable[..., Any]) -> np.ufunc:
    """Make the ufunc of objects that applies a function; reduced as numpy's of the same name."""
    reduced = operands == 2 and results == 1
    options = {"identity": getattr(getattr(np, name, None), "identity", None)} if reduced else {}
    made: np.ufunc = np.frompyfunc(function, operands, results, **options)
    return made


REPLACED: dict[str, np.ufunc] = {
    **{
        name: _of_items(name, op.arity, 1, op)
        for name, op in table.UFUNCS.items()
        if name not in BY_OPERATORS
    },
    **{name: _of_items(name, *how) for name, how in (COMPOSED | OF_SCIPY).items()},
}
"""The ufunc of objects that is called instead of numpy's or scipy's, by the name of that."""


def of_objects(ufunc: np.ufunc) -> np.ufunc | None:
    """Find the ufunc that computes this one on arrays of objects; None if there is none.

    What a user has made of a Python function, by `np.frompyfunc` or `np.vectorize`, does itself.
    """
    if ufunc.__name__ in BY_OPERATORS:
        return ufunc
    is_users = ufunc.ntypes == 1 and set(ufunc.types[0]) <= {"O", "-", ">"}
    return ufunc if is_users else REPLACED.get(ufunc.__name__)
