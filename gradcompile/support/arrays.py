"""The types of numpy arrays, each with one name; and a look for masked elements."""

from typing import Any

import numpy as np

AnyArray = np.ndarray[Any, np.dtype[Any]]
"""An array of any kind."""

FloatArray = np.ndarray[Any, np.dtype[np.float64]]
"""An array of float64."""

IntArray = np.ndarray[Any, np.dtype[np.int64]]
"""An array of int64."""

BitsArray = np.ndarray[Any, np.dtype[np.uint64]]
"""An array of 64 bits each, such as digests."""

BoolArray = np.ndarray[Any, np.dtype[np.bool_]]
"""An array of truth values."""


def require_unmasked(user: str, *arrays: Any) -> None:
    """Raise an error if elements are masked, where that would be forgotten.

    Args:
        user: begins the message.
        arrays: arrays, or anything else.

    Raises:
        TypeError: elements of one are masked.
    """
    for x in arrays:
        if isinstance(x, np.ma.MaskedArray) and np.ma.is_masked(x):
            raise TypeError(f"{user}: expected numbers everywhere, got masked elements; fill them")
