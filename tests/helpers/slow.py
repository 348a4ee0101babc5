"""Parameters of tests, of which a few run in every run and the others where time is no matter."""

from collections.abc import Iterable
from typing import Any

import pytest


def slow_but(fast: Iterable[Any], every: Iterable[Any]) -> list[Any]:
    """Mark parameters as slow.

    Args:
        fast: The parameters that also the fast run has, as they are in `every`.
        every: All parameters of a test; tuples are those of several names.

    Returns:
        The parameters, in their order.

    Raises:
        ValueError: A fast one is not among all.
    """
    kept, parameters = list(fast), list(every)
    for x in kept:
        if not any(x is y or x == y for y in parameters):
            raise ValueError(f"{x!r} is not a parameter")
    return [
        pytest.param(
            *(x if isinstance(x, tuple) else (x,)),
            marks=[] if any(x is y or x == y for y in kept) else pytest.mark.slow,
        )
        for x in parameters
    ]
