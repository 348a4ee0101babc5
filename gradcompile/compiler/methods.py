"""Compiled functions as methods: bound to an object, as Python's functions are.

An object that is a record of numbers, such as a dataclass, is an argument like others, and the
gradient has a field for it. Any other object is static: its attributes are read when the method is
traced, and it is traced anew when it is called and one of them is another. What is compiled for it
lives as long as the object does, and does not keep it alive.
"""

import copy
import inspect
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import update_wrapper
from operator import attrgetter
from typing import Any

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.attributes import Attributes
from gradcompile.compiler.kernel import Kernel
from gradcompile.graph.nested import flatten
from gradcompile.graph.records import is_record


class Bound:
    """A compiled function bound to an object, or a kernel of it: it keeps the object alive.

    The attributes of the object are compared when it is called, for it may be held for long.

    Args:
        function: the compiled function, with the object as its first argument.
        owner: the object.
        path: the attributes that lead from the object to this.
        kernel: the attributes that lead from the function to the kernel; "" for itself.
    """

    __slots__ = ("__self__", "_called", "_function", "_kernel", "_path")

    def __init__(self, function: Any, owner: Any, path: str, kernel: str = "") -> None:
        self.__self__ = owner
        self._function = function
        self._path = path
        self._kernel = kernel
        self._called = attrgetter(kernel or "value")

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """What is bound, called with the arguments that are left."""
        function, owner = self._function, self.__self__
        own = function._methods.of(owner)
        if own is None:
            kernel = self._called(function)
            return kernel(*kernel._with_first(owner, args), **kwargs)
        return self._called(own)(*args, **kwargs)

    @property
    def _target(self) -> Any:
        """What is bound, as it is for the object now."""
        function = self._function._methods.of(self.__self__) or self._function
        return self._called(function) if self._kernel else function

    @property
    def __class__(self) -> Any:
        """The class of what is bound: it can stand wherever that is asked for."""
        return type(self._target)

    @__class__.setter
    def __class__(self, _: Any) -> None:
        raise TypeError("the class of a bound function cannot be set")

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if isinstance(found, Kernel):
            kernel = f"{self._kernel}.{name}" if self._kernel else name
            return Bound(self._function, self.__self__, f"{self._path}.{name}", kernel)
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
        is_data = function._function._methods.of(function.__self__) is None
        return function._target, (function.__self__, *args) if is_data else args
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
        attributes: what they were.
        function: the compiled function without its first argument; None if the object is data.
    """

    owner: Callable[[], Any]
    attributes: Attributes
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

    def of(self, owner: Any) -> Any:
        """The compiled function without its first argument; None if the object is data."""
        known = self._known.get(id(owner))
        if known is None or known.owner() is not owner or not known.attributes.are_those_of(owner):
            known = self._known[id(owner)] = self._new(owner)
        return known.function

    def _new(self, owner: Any) -> _Known:
        known, key = self._known, id(owner)
        reference: Callable[[], Any]
        try:
            reference = weakref.ref(owner, lambda _: known.pop(key, None))
        except TypeError:  # an object with slots; it stays
            reference = lambda: owner  # noqa: E731
        first = next(iter(self._arguments.signature.parameters), "")
        if first not in self._arguments.options.static and _is_data(owner):
            return _Known(reference, Attributes(None), None)
        return _Known(reference, Attributes(owner), self._compiled(reference, first))

    def _compiled(self, owner: Callable[[], Any], first: str) -> Any:
        arguments, signature = self._arguments, self._arguments.signature
        rest = [p for name, p in signature.parameters.items() if name != first]
        assert arguments.function is not None
        function = _OfObject(arguments.function, owner, signature.replace(parameters=rest))
        update_wrapper(function, arguments.function, updated=())
        static = tuple(name for name in arguments.options.static if name != first)
        options = replace(arguments.options, static=static)
        return self._make(type(arguments)(function, None, arguments.name, options))


def _is_data(owner: Any) -> bool:
    """Is an object an argument like others, a record of numbers?"""
    try:
        return is_record(type(owner)) and bool(flatten(owner)[0])
    except TypeError:
        return False


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
