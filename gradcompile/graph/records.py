"""Records: containers with named fields, read and made again field by field.

Namedtuples, dataclasses, attrs classes and `types.SimpleNamespace` are records. A record is made
again without its class's `__init__` or `__post_init__`: what is a number in one is a traced value
in the other, and a field that was computed from others is held as it is.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, NamedTuple

_INTEGERS = (int, "int")


class Field(NamedTuple):
    """A field of a record.

    Attributes:
        name: of the field.
        value: that it holds.
        is_static: does the class say that it is no number to differentiate by?
    """

    name: str
    value: Any
    is_static: bool


def is_record(kind: Any) -> bool:
    """Is it a type whose objects have named fields?"""
    return isinstance(kind, type) and _is_record(kind)


@lru_cache(maxsize=1024)
def _is_record(kind: Any) -> bool:
    is_namedtuple = issubclass(kind, tuple) and hasattr(kind, "_fields")
    is_declared = dataclasses.is_dataclass(kind) or hasattr(kind, "__attrs_attrs__")
    return is_namedtuple or is_declared or issubclass(kind, SimpleNamespace)


def has_attributes(kind: Any) -> bool:
    """Is it a type of records whose fields are attributes alone, as those of a tuple are not?"""
    return is_record(kind) and not issubclass(kind, tuple)


def _declared(kind: Any) -> Sequence[Any]:
    """The fields of a dataclass or an attrs class, as their modules describe them."""
    is_dataclass = dataclasses.is_dataclass(kind)
    return dataclasses.fields(kind) if is_dataclass else kind.__attrs_attrs__


def fields_of(node: Any) -> list[Field]:
    """List the fields of a record.

    A field of a dataclass or an attrs class is static if it is declared so, by the metadata
    `{"static": True}`, or if it is declared an `int` and holds one: it counts something.

    Raises:
        TypeError: a field is not set.
    """
    kind = type(node)
    if isinstance(node, tuple):
        return [Field(*pair, False) for pair in zip(kind._fields, node, strict=True)]
    if isinstance(node, SimpleNamespace):
        return [Field(*pair, False) for pair in vars(node).items()]
    fields = []
    for declared in _declared(kind):
        if not hasattr(node, declared.name):
            raise TypeError(f"the field {declared.name!r} of the {kind.__name__} is not set")
        value = getattr(node, declared.name)
        counts = declared.type in _INTEGERS and type(value) is int
        fields.append(Field(declared.name, value, counts or bool(declared.metadata.get("static"))))
    return fields


def record(kind: type[Any], names: Sequence[str], values: Iterable[Any]) -> Any:
    """Make a record of the values of its fields.

    Example:
        >>> record(SimpleNamespace, ["a", "b"], [1.0, 2.0])
        namespace(a=1.0, b=2.0)
    """
    if issubclass(kind, tuple):
        return tuple.__new__(kind, values)
    new = SimpleNamespace.__new__ if issubclass(kind, SimpleNamespace) else object.__new__
    made = new(kind)
    for name, value in zip(names, values, strict=True):
        object.__setattr__(made, name, value)  # of a frozen one as well
    return made
