"""Compiled functions as methods: bound to an object, as Python's functions are.

An object that is a record of numbers, such as a dataclass, is an argument like others, and the
gradient has a field for it. Any other object is static: its attributes are read when the method is
traced, and it is traced anew when one of them was set to something else. What is compiled for it
lives as long as the object does, and does not keep it alive.
"""

import copy
import inspect
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import update_wrapper
from operator import attrgetter
from types import NoneType
from typing import Any

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.kernel import Kernel
from gradcompile.graph.nested import flatten
from gradcompile.graph.records import is_record

PLAIN = (int, float, complex, bool, str, NoneType)
"""Attributes that are kept to be compared; of others only which object it is."""


class Bound:
    """A compiled function bound to an object, or a kernel of it: it keeps the object alive.

    Args:
        target: what is bound.
        owner: the object.
        path: the attributes that lead from the object to this.
        given: the arguments that come before those of a call: the object, if it is data.
    """

    __slots__ = ("__self__", "_given", "_path", "_target")

    def __init__(self, target: Any, owner: Any, path: str, given: tuple[Any, ...] = ()) -> None:
        self.__self__ = owner
        self._target = target
        self._path = path
        self._given = given

    @property
    def __class__(self) -> Any:
        """The class of what is bound: it can stand wherever that is asked for."""
        return type(self._target)

    @__class__.setter
    def __class__(self, _: Any) -> None:
        raise TypeError("the class of a bound function cannot be set")

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """What is bound, called with the arguments that are left."""
        return self._target(*self._given, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if isinstance(found, Kernel):
            return Bound(found, self.__self__, f"{self._path}.{name}", self._given)
        return found

    def __repr__(self) -> str:
        return f"<bound {self._target!r} of {self.__self__!r:.60}>"

    def __copy__(self) -> "Bound":
        return self

    def __deepcopy__(self, memo: Any) -> Any:
        return attrgetter(self._path)(copy.deepcopy(self.__self__, memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return attrgetter(self._path), (self.__self__,)


def unbound(function: Any, args: tuple[Any, ...]) -> tuple[Any, tuple[Any, ...]]:
    """The compiled function itself, and the arguments with the object, if that is data."""
    if type(function) is Bound:
        return function._target, (*function._given, *args)
    return function, args


@dataclass
class _OfObject:
    """A function without its first argument, which is an object that it does not keep alive."""

    function: Callable[..., Any]
    owner: Callable[[], Any]
    __signature__: inspect.Signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self.owner(), *args, **kwargs)


@dataclass(frozen=True)
class _Known:
    """What is compiled for one object.

    Attributes:
        owner: gives the object, while it lives.
        state: what its attributes were.
        function: the compiled function without its first argument.
    """

    owner: Callable[[], Any]
    state: list[Any]
    function: Any


class Methods:
    """What a compiled function is for each object that it was bound to.

    Args:
        arguments: those of the function, with the object as the first.
        make: makes a compiled function of its arguments.
    """

    def __init__(self, arguments: Arguments, make: Callable[[Arguments], Any]) -> None:
        self._arguments = arguments
        self._make = make
        self._known: dict[int, _Known] = {}
        self._are_data: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()

    def takes(self, owner: Any) -> bool:
        """Is the object an argument like others, a record of numbers? The first of a class says."""
        kind = type(owner)
        if kind not in self._are_data:
            self._are_data[kind] = is_record(kind) and _is_data(owner) and not self._is_static
        return self._are_data[kind]

    @property
    def _is_static(self) -> bool:
        """Was `compile` told that the object is static?"""
        return (
            next(iter(self._arguments.signature.parameters), "") in self._arguments.options.static
        )

    def of(self, owner: Any) -> Any:
        """The compiled function without its first argument, for an object that is static."""
        known = self._known.get(id(owner))
        state = _state(owner)
        if known is None or known.owner() is not owner or known.state != state:
            known = self._known[id(owner)] = self._compiled(owner, state)
        return known.function

    def _compiled(self, owner: Any, state: list[Any]) -> _Known:
        known, key, arguments = self._known, id(owner), self._arguments
        reference: Callable[[], Any]
        try:
            reference = weakref.ref(owner, lambda _: known.pop(key, None))
        except TypeError:  # an object with slots; it stays
            reference = lambda: owner  # noqa: E731
        (first, *_), signature = arguments.signature.parameters, arguments.signature
        rest = [p for name, p in signature.parameters.items() if name != first]
        assert arguments.function is not None
        function = _OfObject(arguments.function, reference, signature.replace(parameters=rest))
        update_wrapper(function, arguments.function, updated=())
        static = tuple(name for name in arguments.options.static if name != first)
        options = replace(arguments.options, static=static)
        made = self._make(type(arguments)(function, None, arguments.name, options))
        return _Known(reference, state, made)


def _is_data(owner: Any) -> bool:
    try:
        return bool(flatten(owner)[0])
    except TypeError:
        return False


def _state(owner: Any) -> list[Any]:
    """The attributes of an object, to tell whether one was set to something else."""
    attributes = getattr(owner, "__dict__", None)
    if attributes is None or isinstance(owner, type):
        return []
    return [x if type(x) in PLAIN else id(x) for pair in attributes.items() for x in pair]


class ClassMethod:
    """A compiled class method: bound to the class, from the class or from an object.

    Args:
        function: the compiled function, with the class as its first argument.
    """

    def __init__(self, function: Any) -> None:
        self.__func__ = function

    def __set_name__(self, owner: type, name: str) -> None:
        self.__func__.__set_name__(owner, name)

    def __get__(self, instance: Any, owner: type) -> Any:
        return self.__func__.__get__(owner)


def of_class(
    target: "staticmethod[..., Any] | classmethod[Any, ..., Any]", decorator: Callable[..., Any]
) -> Any:
    """Compile the function in a static method or a class method, and make it one again."""
    made = decorator(target.__func__)
    return staticmethod(made) if isinstance(target, staticmethod) else ClassMethod(made)
