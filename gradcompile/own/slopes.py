"""Values with slopes of their own."""

from collections.abc import Sequence
from typing import Any

from gradcompile.graph.value import Constant, Value
from gradcompile.ops.unwritten import with_slope

MAX_ORDER = 4
"""The highest order of a derivative that goes through what has slopes of its own.

The slopes may be computed by what has slopes itself, once an order; beyond, they are nan.
"""


def is_value(x: Any) -> bool:
    """Tell whether there is something to differentiate by."""
    return isinstance(x, Value)


def with_slopes(value: Any, leaves: Sequence[Any], slopes: Sequence[Any]) -> Any:
    """Give a value its slopes by the arguments, where there are any."""
    for leaf, slope in zip(leaves, slopes, strict=True):
        is_zero = isinstance(slope, float) and slope == 0.0
        if is_value(leaf) and not isinstance(leaf, Constant) and not is_zero:
            value = with_slope(value, leaf, slope)
    return value
