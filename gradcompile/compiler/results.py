"""The namedtuple of a gradient."""

import copyreg
from collections import namedtuple
from collections.abc import Iterable
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1024)
def gradient_type(wrt: tuple[str, ...]) -> type[Any]:
    """Make the namedtuple of gradients, one field an argument; pickles hold the fields."""
    # A field may not begin with an underscore; `rename` numbers what cannot be mended.
    fields = [name if name.lstrip("_") in wrt else name.lstrip("_") for name in wrt]
    kind = namedtuple("Gradient", fields, rename=True)  # type: ignore[misc]
    copyreg.pickle(kind, lambda gradient: (gradient_of, (wrt, tuple(gradient))))
    return kind


def gradient_of(wrt: tuple[str, ...], parts: Iterable[Any]) -> Any:
    """Make a gradient of its fields."""
    return tuple.__new__(gradient_type(wrt), parts)
