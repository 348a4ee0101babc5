"""The attributes of an object at some time, to tell whether one is another now."""

from collections.abc import Hashable
from typing import Any

from gradcompile.graph.exact import (
    DEPTH,
    OF_OBJECT,
    VALUES,
    attributes_of,
    exact,
    is_number,
    slots_of,
)

_MAY_CHANGE = object()
"""Stands for what may have changed though it is the same object."""

_ABSENT = object()
"""Stands for an attribute that is not there any more."""


class Attributes:
    """What the attributes of an object were, without keeping alive what they led to.

    Args:
        owner: the object; None for one whose attributes do not matter.

    Example:
        >>> from types import SimpleNamespace
        >>> spring = SimpleNamespace(k=2.0, marks=[1, 2])
        >>> before = Attributes(spring)
        >>> spring.marks[0] = 3
        >>> before.are_those_of(spring)
        False
    """

    __slots__ = ("_has_slots", "_kept")

    def __init__(self, owner: Any) -> None:
        self._kept: list[tuple[str, Any, Hashable]] | None = None
        kind: Any = type(owner)
        self._has_slots = bool(slots_of(kind)) or not hasattr(owner, "__dict__")
        if owner is not None and not isinstance(owner, type):
            self._kept = [(name, _fixed(x), _key(x)) for name, x in attributes_of(owner).items()]

    def are_those_of(self, owner: Any) -> bool:
        """Has the object the same attributes now?"""
        if self._kept is None:
            return True
        found = attributes_of(owner) if self._has_slots else owner.__dict__
        if len(found) != len(self._kept):
            return False
        for name, fixed, key in self._kept:
            x = found.get(name, _ABSENT)
            # Most attributes are numbers, and the same objects as before.
            if x is not fixed and _key(x) != key:
                return False
        return True


def _fixed(x: Any) -> Any:
    """The object itself, if it can neither change nor keep others alive."""
    return x if type(x) in VALUES or is_number(type(x)) else _MAY_CHANGE


def _key(x: Any) -> Hashable:
    return exact(x, DEPTH - OF_OBJECT)
