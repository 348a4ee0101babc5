"""Nested arguments: numbers and arrays in containers and records, to a flat list and back.

The structure of an argument is hashable: it is the key under which a traced function is kept. What
is no number in it, such as a string in a dict, is static: a part of the structure.

    >>> leaves, structure = flatten({"w": [1.0, 2.0], "b": 3})
    >>> leaves, unflatten(structure, [10.0, 20.0, 30.0])
    ([1.0, 2.0, 3.0], {'w': [10.0, 20.0], 'b': 30.0})
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache
from itertools import chain, islice, product
from typing import Any

import numpy as np

from gradcompile.graph.records import fields_of, is_record, record
from gradcompile.graph.static import Static, is_static
from gradcompile.ops.op import as_float
from gradcompile.support.arrays import AnyArray, FloatArray

LEAF = (int, float, np.number)

IsLeaf = Callable[[Any], bool] | None


@dataclass(frozen=True)
class Structure:
    """The shape of a nested argument: its kind, and the parts it is made of.

    Attributes:
        kind: "leaf", "array", "static", or the type of the container.
        keys: the keys of a dict or the fields of a record; the shape of an array; what is static.
        parts: the structures inside.
    """

    kind: Any
    keys: tuple[Any, ...] = ()
    parts: tuple["Structure", ...] = ()

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.kind, self.keys, self.parts))

    def __reduce__(self) -> tuple[Any, ...]:
        return _structure, (self.kind, self.keys, self.parts)  # a hash is that of one process

    @cached_property
    def is_vector(self) -> bool:
        """Is it a list or a tuple of numbers?"""
        return self.kind in (list, tuple) and all(part is NUMBER for part in self.parts)

    @cached_property
    def size(self) -> int:
        """How many leaves it has."""
        if self.kind == "array":
            return int(np.prod(self.keys, dtype=int))
        return 1 if self.kind == "leaf" else sum(part.size for part in self.parts)

    @cached_property
    def statics(self) -> tuple[Static, ...]:
        """What is static inside."""
        found = self.keys if self.kind == "static" else ()
        return (*found, *chain.from_iterable([part.statics for part in self.parts]))

    @cached_property
    def holds_arrays(self) -> bool:
        """Is it an array, or is one inside?"""
        return self.kind == "array" or any(part.holds_arrays for part in self.parts)

    def __str__(self) -> str:
        if self.kind == "leaf":
            return "a number"
        if self.kind == "array":
            return f"an array of shape {self.keys}"
        if self.kind == "static":
            return repr(self.keys[0])
        if self.kind is dict:
            return f"a dict with keys {list(self.keys)}"
        if is_record(self.kind):
            return f"a {self.kind.__name__} with fields {list(self.keys)}"
        alike = f", each {self.parts[0]}" if len(set(self.parts)) == 1 else ""
        return f"a {self.kind.__name__} of length {len(self.parts)}{alike}"


NUMBER = Structure("leaf")


@lru_cache(maxsize=1024)
def _vector(kind: Hashable, count: int) -> Structure:
    """The structure of a list or tuple of numbers: one object, so that it compares fast."""
    return Structure(kind, (), (NUMBER,) * count)


def _structure(kind: Any, keys: tuple[Any, ...], parts: tuple[Structure, ...]) -> Structure:
    """Make a structure again: those of numbers and vectors are one object each."""
    if kind == "leaf":
        return NUMBER
    is_vector = kind in (list, tuple) and all(part is NUMBER for part in parts)
    return _vector(kind, len(parts)) if is_vector else Structure(kind, keys, parts)


def flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], Structure]:
    """List the leaves of `tree` in order, and its structure.

    Args:
        tree: a number, or a list, tuple, dict, record or array of numbers, nested in any way.
        is_leaf: tells what else is a leaf.

    Raises:
        TypeError: something inside is none of these.
    """
    items: list[Any] = []
    structure = _flatten(tree, items, is_leaf)
    if not structure.holds_arrays:
        return items, structure
    leaves: list[Any] = []
    for item in items:
        if isinstance(item, np.ndarray):
            leaves.extend(item.ravel().tolist())
        else:
            leaves.append(item)
    return leaves, structure


def read(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], Structure]:
    """List what `tree` is made of, as it is passed to machine code; and its structure.

    Numbers stay numbers, arrays are float64 and contiguous, and the numbers of a container without
    arrays are one array. Where something else is a leaf, all leaves are listed one by one.

    Raises:
        TypeError: something inside is no number.

    Example:
        >>> read({"w": [1.0, 2.0], "b": 3})[0]
        [array([1., 2., 3.])]
    """
    items: list[Any] = []
    structure = _flatten(tree, items, is_leaf)
    if is_leaf is not None and any(map(is_leaf, items)):
        return items, structure
    return list(_together(structure, iter(items))), structure


def divide(structure: Structure, vector: FloatArray) -> Iterator[Any]:
    """Yield what `read` lists for an argument of this structure, of the vector of its numbers.

    Example:
        >>> list(divide(Structure("array", (2, 1)), np.array([1.0, 2.0])))
        [array([[1.],
               [2.]])]
    """
    start = 0
    for part in travelling(structure):
        numbers = vector[start : start + part.size]
        if part.kind == "leaf":
            yield numbers[0]
        else:
            yield numbers.reshape(part.keys) if part.kind == "array" else numbers
        start += part.size


def travelling(structure: Structure) -> Iterator[Structure]:
    """Yield the parts that travel as one: numbers, arrays, and containers of numbers alone."""
    stack = [structure]
    while stack:
        part = stack.pop()
        if part.kind != "array" and part.holds_arrays:
            stack.extend(reversed(part.parts))
        elif part.kind == "array" or part.size:
            yield part


def _together(structure: Structure, items: Iterator[Any]) -> Iterator[Any]:
    if structure.kind in ("leaf", "array"):
        yield next(items)
    elif structure.holds_arrays:
        for part in structure.parts:
            yield from _together(part, items)
    elif structure.size:
        yield np.array(list(islice(items, structure.size)), np.float64)


# No closure: one that calls itself is a cycle, and would keep the leaves, with whole graphs below
# them, until the collector comes.
def _flatten(node: Any, items: list[Any], is_leaf: IsLeaf) -> Structure:
    """The structure of `node`, whose leaves are appended; arrays of numbers as they are."""
    if type(node) in (list, tuple) and _are_leaves(node, is_leaf):
        items.extend(node)
        return _vector(type(node), len(node))  # type: ignore[arg-type]
    if isinstance(node, np.ndarray):
        return _flatten_array(node, items, is_leaf)
    if isinstance(node, dict):
        parts = [_part(part, items, is_leaf) for part in node.values()]
        return Structure(dict, tuple(node), tuple(parts))
    if isinstance(node, list | tuple) and not is_record(type(node)):
        parts = [_item(part, items, is_leaf) for part in node]
        return Structure(type(node), (), tuple(parts))
    if is_leaf is not None and is_leaf(node):
        items.append(node)
        return NUMBER
    if _is_number(node):
        items.append(as_float(node, "number"))
        return NUMBER
    if is_record(type(node)):
        fields = fields_of(node)
        parts = [
            Structure("static", (Static(field.value),))
            if field.is_static
            else _part(field.value, items, is_leaf)
            for field in fields
        ]
        return Structure(type(node), tuple(field.name for field in fields), tuple(parts))
    raise TypeError(
        f"expected numbers in lists, tuples, dicts or arrays, got {type(node).__name__} "
        f"{node!r:.60}"
    )


def _part(node: Any, items: list[Any], is_leaf: IsLeaf) -> Structure:
    """The structure of what has a name in a dict or a record: it may be static."""
    if is_static(node):
        return Structure("static", (Static(node),))
    return _flatten(node, items, is_leaf)


def _item(node: Any, items: list[Any], is_leaf: IsLeaf) -> Structure:
    """The structure of an item of a list or a tuple: of what is static, only None may be one."""
    return _part(None, items, is_leaf) if node is None else _flatten(node, items, is_leaf)


def _flatten_array(array: AnyArray, items: list[Any], is_leaf: IsLeaf) -> Structure:
    if np.ma.is_masked(array):
        raise TypeError("expected numbers everywhere, got masked elements; fill them with nan")
    if not array.ndim:
        return _flatten(array[()], items, is_leaf)
    if array.dtype != object:
        items.append(_floats(array))
        return Structure("array", array.shape)
    found = array.ravel().tolist()
    if is_leaf is not None and any(map(is_leaf, found)):
        items.extend(x if is_leaf(x) else _number_in_array(x) for x in found)
    else:
        numbers = np.array([_number_in_array(x) for x in found], np.float64)
        items.append(numbers.reshape(array.shape))
    return Structure("array", array.shape)


def _number_in_array(item: Any) -> float:
    if isinstance(item, list | tuple | dict | np.ndarray):
        raise TypeError("expected an array of numbers, got one of lists, tuples or dicts")
    if not _is_number(item):
        raise TypeError(
            f"expected numbers in lists, tuples, dicts or arrays, got {type(item).__name__} "
            f"{item!r:.60}"
        )
    return as_float(item, "number")


def _are_leaves(items: Sequence[Any], is_leaf: IsLeaf) -> bool:
    """Are all items leaves? Often they are, and then nobody looks at each of them again."""
    if is_leaf is not None and all(map(is_leaf, items)):
        return True
    return set(map(type, items)) == {float}


def _is_number(node: Any) -> bool:
    return isinstance(node, LEAF) and not isinstance(node, bool | np.complexfloating | Enum)


def _floats(array: AnyArray) -> FloatArray:
    """The array as machine code reads it where it lies: float64, contiguous and aligned."""
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected an array of real numbers, got one of dtype {array.dtype}")
    with np.errstate(over="ignore"):  # a long double beyond the range is inf
        return np.require(np.asarray(array), np.float64, ["C", "A"])


def _array(items: list[Any], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    numbers = all(type(x) is float for x in items)
    array = np.empty(len(items), dtype=np.float64 if numbers else object)
    array[:] = items
    return array.reshape(shape)


def unflatten(
    structure: Structure,
    leaves: Sequence[Any],
    array: Callable[[list[Any], tuple[int, ...]], Any] = _array,
) -> Any:
    """The nested argument of `structure` with these leaves; arrays of floats become float64.

    Args:
        structure: of the argument.
        leaves: in order.
        array: makes an array of its elements and its shape.
    """
    return _unflatten(structure, iter(leaves), array)


def _unflatten(structure: Structure, supply: Iterator[Any], array: Callable[..., Any]) -> Any:
    if structure.kind == "leaf":
        return next(supply)
    if structure.kind == "array":
        return array(list(islice(supply, structure.size)), structure.keys)
    if structure.is_vector:
        return structure.kind(islice(supply, structure.size))
    return assembled(structure, [_unflatten(part, supply, array) for part in structure.parts])


def assembled(structure: Structure, parts: Sequence[Any]) -> Any:
    """Make a container of its parts, or give what is static."""
    if structure.kind == "static":
        return structure.keys[0].value
    if structure.kind is dict:
        return dict(zip(structure.keys, parts, strict=True))
    if is_record(structure.kind):
        return record(structure.kind, structure.keys, parts)
    return structure.kind(parts)


def paths(structure: Structure, name: str) -> Iterator[str]:
    """A name for every leaf: `w` for a number, `w0`, `w1_2` for items, `w_key` for a dict's."""
    if structure.kind == "leaf":
        yield name
    elif structure.kind == "array":
        for position in product(*[list(map(str, range(count))) for count in structure.keys]):
            yield name + "_".join(position)
    elif structure.kind == "static":
        return
    elif structure.kind is dict or structure.keys:
        for key, part in zip(structure.keys, structure.parts, strict=True):
            yield from paths(part, f"{name}_{key}")
    else:
        joint = "_" if name[-1:].isdigit() else ""
        for index, part in enumerate(structure.parts):
            yield from paths(part, f"{name}{joint}{index}")
