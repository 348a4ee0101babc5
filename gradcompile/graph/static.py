"""What is static: no numbers to differentiate by, but a part of what a function is traced for."""

from enum import Enum
from types import ModuleType, NoneType
from typing import Any

import numpy as np

from gradcompile.graph.exact import ONE, VALUES, cannot_change, exact
from gradcompile.graph.records import is_record

KINDS = (NoneType, bool, np.bool_, str, bytes, Enum, type, range, ModuleType, np.dtype)
"""Types whose objects are static by themselves; callables are as well."""


def is_static(node: Any) -> bool:
    """Is something static by itself? A callable is, unless it is a record that is compared."""
    if isinstance(node, KINDS):
        return True
    kind = type(node)
    return callable(node) and (
        not is_record(kind) or vars(kind).get("__hash__", object.__hash__) is object.__hash__
    )


class Static:
    """A static object as a key: equal to another one if code could not tell the two apart.

    Args:
        value: the object.

    Raises:
        TypeError: it is not hashable.

    Example:
        >>> Static(1) == Static(1), Static(1) == Static(True), Static((1,)) == Static((1.0,))
        (True, False, False)
    """

    __slots__ = ("_hash", "_key", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        try:
            hash(value)
        except TypeError:
            kind = type(value).__name__
            raise TypeError(
                f"what is static must be hashable, got {kind} {value!r:.60}; "
                "a tuple, or a frozen dataclass, is"
            ) from None
        self._key = exact(value)
        self._hash = hash(self._key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Static) and self._key == other._key

    def __hash__(self) -> int:
        return self._hash

    def __repr__(self) -> str:
        return f"{self.value!r:.60}"

    def __reduce__(self) -> tuple[Any, ...]:
        return Static, (self.value,)  # a hash is that of one process

    def equals(self, thing: Any) -> bool:
        """Would another object have the same key?"""
        return exact(thing) == self._key

    @property
    def is_one_object(self) -> bool:
        """Is nothing but the object itself equal to it?"""
        return self.value is None or isinstance(self.value, (bool, *ONE))

    @property
    def cannot_change(self) -> bool:
        """Is the object itself always equal to it?"""
        return cannot_change(self.value)

    @property
    def compares(self) -> bool:
        """Does `==` tell whether another object of the same type is the same?"""
        return type(self.value) in VALUES
