"""The attributes of an object at some time, to tell whether one was set to something else."""

import weakref
from types import NoneType
from typing import Any

PLAIN = frozenset({int, float, complex, bool, str, NoneType})
"""What is compared by its value; of other things only which object it is."""


class Attributes:
    """What the attributes of an object were, without keeping alive what they led to.

    Lists, tuples and dicts are compared item by item; what is in arrays, and deeper, is not seen.

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

    __slots__ = ("_marks",)

    def __init__(self, owner: Any) -> None:
        self._marks = None
        if owner is not None and not isinstance(owner, type) and hasattr(owner, "__dict__"):
            self._marks = [(name, _mark(x)) for name, x in vars(owner).items()]

    def are_those_of(self, owner: Any) -> bool:
        """Has the object the same attributes now?"""
        if self._marks is None:
            return True
        found = owner.__dict__
        if len(found) != len(self._marks):
            return False
        for name, mark in self._marks:
            x = found.get(name, self)
            if type(mark) is weakref.ref:
                if mark() is not x:
                    return False
            elif mark != (x if type(x) in PLAIN else _mark(x)):
                return False
        return True


def _mark(x: Any) -> Any:
    """What an attribute is compared by."""
    kind = type(x)
    if kind in PLAIN:
        return x
    if kind in (list, tuple, dict):
        items = [*x, *x.values()] if kind is dict else x
        return id(x), [item if type(item) in PLAIN else id(item) for item in items]
    try:
        return weakref.ref(x)
    except TypeError:
        return id(x)
