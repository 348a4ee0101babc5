"""The types of numpy arrays, each with one name."""

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
