"""Functions of the user's own that emitted text calls by their names.

    from gradcompile.opaque import bessel

Nothing is known of them but the numbers that they give. A name stands for one function as long as
the process lives; another process may have another function under it.
"""

from collections.abc import Callable, Container
from itertools import chain, count
from threading import RLock
from typing import Any

_lock = RLock()
_known: dict[str, Callable[..., Any]] = {}


def register(function: Callable[..., Any], wanted: str, reserved: Container[str]) -> str:
    """Give a function a name; the same one as before, if it has one.

    Args:
        function: to be called by the name.
        wanted: the name, if it is free; a number is added if not.
        reserved: names that are not free.
    """
    with _lock:
        for name, known in _known.items():
            if known is function:
                return name
        tried = chain([wanted], (f"{wanted}_{k}" for k in count(2)))
        name = next(x for x in tried if x not in _known and x not in reserved)
        _known[name] = function
        return name


def names() -> frozenset[str]:
    """List the names that are taken."""
    return frozenset(_known)


def __getattr__(name: str) -> Any:
    """Find a function by its name, as an import does."""
    try:
        return _known[name]
    except KeyError:
        raise AttributeError(f"this process has no opaque function {name!r}") from None
