"""The floats in arguments: listed, replaced, and slopes by each of them from differences."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np


def floats(tree: Any) -> list[float]:
    """List the floats in numbers, arrays and structures of them, in order; pass over the rest."""
    if isinstance(tree, float | np.floating):
        return [float(tree)]
    if isinstance(tree, np.ndarray):
        return [float(x) for x in tree.ravel()]
    return [x for part in _parts(tree) for x in floats(part)]


def with_floats(tree: Any, numbers: Iterator[float]) -> Any:
    """Make the same structure with other floats."""
    if isinstance(tree, float | np.floating):
        return next(numbers)
    if isinstance(tree, np.ndarray):
        return np.array([next(numbers) for _ in range(tree.size)]).reshape(tree.shape)
    parts = [with_floats(part, numbers) for part in _parts(tree)]
    if isinstance(tree, dict):
        return dict(zip(tree, parts, strict=True))
    if isinstance(tree, SimpleNamespace):
        return SimpleNamespace(**dict(zip(vars(tree), parts, strict=True)))
    if is_data(tree):
        return replace(tree, **{f.name: x for f, x in zip(fields(tree), parts, strict=True)})
    if hasattr(tree, "_fields"):
        return type(tree)(*parts)
    return type(tree)(parts) if isinstance(tree, list | tuple) else tree


def is_data(tree: Any) -> bool:
    """Is it an object of a dataclass?"""
    return is_dataclass(tree) and not isinstance(tree, type)


def _parts(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return list(tree.values())
    if isinstance(tree, SimpleNamespace):
        return list(vars(tree).values())
    if is_data(tree):
        return [getattr(tree, f.name) for f in fields(tree)]
    return list(tree) if isinstance(tree, list | tuple) else []


def slopes(function: Callable[[list[float]], float], at: list[float]) -> list[float]:
    """Find the slopes of a smooth function by central differences of the fourth order."""
    found = []
    for k, x in enumerate(at):
        h = 1e-3 * abs(x) or 1e-4

        def moved(steps: int, k: int = k, x: float = x, h: float = h) -> float:
            return float(function([*at[:k], x + steps * h, *at[k + 1 :]]))

        near, far = moved(1) - moved(-1), moved(2) - moved(-2)
        found.append((8 * near - far) / (12 * h))
    return found
