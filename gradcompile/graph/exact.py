"""Keys of objects that are equal only if code could not tell the objects apart.

Python's `==` is too wide for this: 1 == True == 1.0, 0.0 == -0.0, range(0, 3, 2) == range(0, 4, 2),
and a class may leave fields out. And it is too narrow: nan != nan.

- Numbers, strings, arrays, containers and records are their type and their exact content.
- Anything else is the one object that it is, with the attributes that it has now.
"""

import weakref
from array import array
from collections.abc import Callable, Hashable
from enum import Enum
from functools import lru_cache
from types import (
    BuiltinFunctionType,
    FunctionType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
    NoneType,
)
from typing import Any

import numpy as np

from gradcompile.graph.records import is_record
from gradcompile.graph.value import Value

VALUES = frozenset({int, bool, str, bytes, NoneType})
"""Of these types `==` tells whether two objects of one type are the same."""

_NUMBERS = frozenset({float, complex, range})
_OTHER_NUMBERS = frozenset({("decimal", "Decimal"), ("fractions", "Fraction")})

ONE = (Enum, type, ModuleType, FunctionType, BuiltinFunctionType, np.ufunc)
"""Each of these is one object, and its attributes do not matter."""

DEPTH = 12
"""So deep are containers and records looked into; what is deeper is the one object that it is."""

OF_OBJECT = 4
"""Attributes are so many levels below their object: an object in an object is looked into."""

_OURS = __name__.partition(".")[0] + "."


def is_number(kind: type) -> bool:
    """Is it a type of numbers or of ranges, which cannot change, but which `==` does not tell?"""
    # By name: the modules take long to load, and few programs have such numbers.
    return kind in _NUMBERS or (kind.__module__, kind.__name__) in _OTHER_NUMBERS


class _Same:
    """One object, which is not kept alive where that can be avoided."""

    __slots__ = ("_hash", "_of")

    def __init__(self, x: Any) -> None:
        self._hash = id(x)
        self._of: Callable[[], Any]
        try:
            self._of = weakref.ref(x)
        except TypeError:
            self._of = lambda: x

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Same) or self._hash != other._hash:
            return False
        x = self._of()
        return x is not None and x is other._of()

    def __hash__(self) -> int:
        return self._hash


def exact(x: Any, depth: int = DEPTH) -> Hashable:
    """The key of an object as it is now.

    Args:
        x: the object.
        depth: how deep to look into it.

    Example:
        >>> exact(0.0) == exact(-0.0), exact((1,)) == exact((True,)), exact([2.5]) == exact([2.5])
        (False, False, True)
    """
    kind: Any = type(x)
    if kind in VALUES:
        return kind, x
    if is_number(kind):
        return kind, _digits(x)
    return kind, _content_of(kind)(x, depth - 1) if depth > 0 else _Same(x)


def cannot_change(x: Any) -> bool:
    """Does an object have the same key as long as it lives?"""
    kind = type(x)
    if kind in (tuple, frozenset):
        return all(map(cannot_change, x))
    if getattr(getattr(kind, "__dataclass_params__", None), "frozen", False):
        return all(map(cannot_change, attributes_of(x).values()))
    return kind in VALUES or is_number(kind) or isinstance(x, (np.generic, *ONE))


def attributes_of(x: Any) -> dict[str, Any]:
    """The attributes of an object, those in slots as well."""
    held: dict[str, Any] = getattr(x, "__dict__", {})
    kind: Any = type(x)
    slots = slots_of(kind)
    if not slots:
        return held
    found = dict(held)
    for name, slot in slots:
        try:
            found[name] = slot.__get__(x)
        except AttributeError:  # it is not set
            continue
    return found


@lru_cache(maxsize=1024)
def slots_of(kind: Any) -> list[tuple[str, Any]]:
    """The slots of a class and its bases: a name of each, and what reads it."""
    return [
        (f"{base.__qualname__}.{name}", slot)
        for base in kind.__mro__
        if "__slots__" in vars(base)
        for name, slot in vars(base).items()
        if isinstance(slot, MemberDescriptorType)
    ]


def _digits(x: Any) -> Hashable:
    """What makes a number, or a range, the one that it is."""
    if type(x) is float:
        return x.hex()  # the sign of zero counts, and nan is itself
    if type(x) is complex:
        return x.real.hex(), x.imag.hex()
    return repr(x)


def _items(items: Any, depth: int) -> Hashable:
    kinds = set(map(type, items))
    if kinds == {float}:
        return array("d", items).tobytes()  # a long list is read at the speed of C
    if kinds and kinds <= VALUES:
        return tuple(map(type, items)), tuple(items)
    return tuple([exact(item, depth) for item in items])


def _set(x: Any, depth: int) -> Hashable:
    return frozenset([exact(item, depth) for item in x])


def _dict(x: Any, depth: int) -> Hashable:
    return tuple([(exact(key, depth), exact(item, depth)) for key, item in x.items()])


def _array(x: Any, depth: int) -> Hashable:
    return x.dtype, x.shape, _items(x.tolist(), depth) if x.dtype.hasobject else x.tobytes()


def _method(x: Any, depth: int) -> Hashable:
    return _Same(x.__func__), exact(x.__self__, depth)  # each look-up makes another object


def _subarray(x: Any, depth: int) -> Hashable:
    return _array(x, depth), _attributes(x, depth)  # such as a mask


def _record(x: Any, depth: int) -> Hashable:
    return _items(x, depth) if isinstance(x, tuple) else (), _attributes(x, depth)


def _object(x: Any, depth: int) -> Hashable:
    return _Same(x), _attributes(x, depth - OF_OBJECT) if depth > OF_OBJECT else ()


def _one(x: Any, _: int) -> Hashable:
    return _Same(x)


def _value(x: Any, _: int) -> Hashable:
    return _Same(x), x.data.hex()  # a trace holds it as a constant


def _scalar(x: Any, _: int) -> Hashable:
    return x.dtype, x.tobytes()


def _itself(x: Any, _: int) -> Hashable:
    found: Hashable = x
    return found


def _attributes(x: Any, depth: int) -> Hashable:
    return tuple([(name, exact(item, depth)) for name, item in attributes_of(x).items()])


_CONTENTS = {
    tuple: _items,
    list: _items,
    set: _set,
    frozenset: _set,
    dict: _dict,
    np.ndarray: _array,
    MethodType: _method,
    Value: _value,
}


@lru_cache(maxsize=1024)
def _content_of(kind: Any) -> Callable[[Any, int], Hashable]:
    """What finds the content of the objects of a class."""
    if kind in _CONTENTS:
        return _CONTENTS[kind]
    if issubclass(kind, np.generic):
        return _scalar
    if issubclass(kind, np.dtype):
        return _itself
    if issubclass(kind, np.ndarray):
        return _subarray
    if issubclass(kind, ONE) or kind.__module__.startswith(_OURS):
        return _one  # a compiled function changes as it is used
    return _record if is_record(kind) and kind.__eq__ is not object.__eq__ else _object
