"""A kernel that keeps what it computed last: solvers ask for the same more than once."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


class Last:
    """A kernel called on a vector, which keeps its last result.

    Args:
        flat: calls the kernel on a vector, and on other arguments by name.
        fixed: those of them that are always the same.
    """

    def __init__(self, flat: Callable[..., Any], fixed: Mapping[str, Any]) -> None:
        self._flat = flat
        self._fixed = fixed
        self._kept: tuple[Any, Any] = None, None

    def __call__(self, x: Any, **others: Any) -> Any:
        """Call the kernel, unless it was called with numbers of the same bits last."""
        x = np.asarray(x, np.float64)
        key = [(array.shape, array.tobytes()) for array in (x, *map(np.asarray, others.values()))]
        known, result = self._kept
        if key != known:
            result = self._flat(x, **others, **self._fixed)
            self._kept = key, result
        return result
