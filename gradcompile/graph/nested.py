"""Nested arguments: numbers and arrays in lists, tuples and dicts, to a flat list and back.

The structure of an argument is hashable: it is the key under which a traced function is kept.

    >>> leaves, structure = flatten({"w": [1.0, 2.0], "b": 3})
    >>> leaves, unflatten(structure, [10.0, 20.0, 30.0])
    ([1.0, 2.0, 3.0], {'w': [10.0, 20.0], 'b': 30.0})
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice, product
from typing import Any

import numpy as np

from gradcompile.ops.op import as_float

_NUMBER_TYPES = (int, float, np.number)

IsLeaf = Callable[[Any], bool] | None


@dataclass(frozen=True)
class Structure:
    """The shape of a nested argument: its kind, and the parts it is made of.

    Attributes:
        kind: "leaf", "array", or the type of the container.
        keys: the keys of a dict or the fields of a namedtuple; the shape of an array.
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

    @cached_property
    def is_vector(self) -> bool:
        """Is it a list or a tuple of numbers?"""
        return self.kind in (list, tuple) and all(part is NUMBER for part in self.parts)

    @cached_property
    def size(self) -> int:
        """The count of its leaves."""
        if self.kind == "array":
            return int(np.prod(self.keys, dtype=int))
        return 1 if self.kind == "leaf" else sum(part.size for part in self.parts)

    def __str__(self) -> str:
        if self.kind == "leaf":
            return "a number"
        if self.kind == "array":
            return f"an array of shape {self.keys}"
        if self.kind is dict:
            return f"a dict with keys {list(self.keys)}"
        alike = f", each {self.parts[0]}" if len(set(self.parts)) == 1 else ""
        return f"a {self.kind.__name__} of length {len(self.parts)}{alike}"


NUMBER = Structure("leaf")


@lru_cache(maxsize=1024)
def _vector(kind: Hashable, count: int) -> Structure:
    """Make the structure of a list or tuple of numbers: one object, so that it compares fast."""
    return Structure(kind, (), (NUMBER,) * count)


def flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], Structure]:
    """Take `tree` apart: its leaves in order, and its structure.

    Args:
        tree: a number, a list, a tuple, a dict or an array of numbers, nested in any way.
        is_leaf: tells what else is a leaf.

    Raises:
        TypeError: something inside is none of these.
    """
    leaves: list[Any] = []
    structure = _flatten(tree, leaves, is_leaf)
    return leaves, structure


# No closure: one that calls itself is a cycle, and would keep the leaves, with whole graphs below
# them, until the collector comes.
def _flatten(node: Any, leaves: list[Any], is_leaf: IsLeaf) -> Structure:
    """Append the leaves of `node`, and give its structure."""
    if type(node) in (list, tuple) and _are_leaves(node, is_leaf):
        leaves.extend(node)
        return _vector(type(node), len(node))  # type: ignore[arg-type]
    if isinstance(node, np.ndarray):
        return _flatten_array(node, leaves, is_leaf)
    if isinstance(node, dict):
        parts = [_flatten(part, leaves, is_leaf) for part in node.values()]
        return Structure(dict, tuple(node), tuple(parts))
    if isinstance(node, list | tuple):
        parts = [_flatten(part, leaves, is_leaf) for part in node]
        return Structure(type(node), getattr(node, "_fields", ()), tuple(parts))
    if is_leaf is not None and is_leaf(node):
        leaves.append(node)
        return NUMBER
    if _is_number(node):
        leaves.append(as_float(node, "number"))
        return NUMBER
    raise TypeError(
        f"expected numbers in lists, tuples, dicts or arrays, got {type(node).__name__} "
        f"{node!r:.60}"
    )


def _flatten_array(array: np.ndarray[Any, Any], leaves: list[Any], is_leaf: IsLeaf) -> Structure:
    if not array.ndim:
        return _flatten(array[()], leaves, is_leaf)
    if array.dtype != object:
        leaves.extend(_floats(array))
        return Structure("array", array.shape)
    items = array.ravel().tolist()
    if _are_leaves(items, is_leaf):
        leaves.extend(items)
    elif any(_flatten(item, leaves, is_leaf) is not NUMBER for item in items):
        raise TypeError("expected an array of numbers, got one of lists, tuples or dicts")
    return Structure("array", array.shape)


def _are_leaves(items: Sequence[Any], is_leaf: IsLeaf) -> bool:
    """Are all items leaves? Often they are, and then nobody looks at each of them again."""
    if is_leaf is not None and all(map(is_leaf, items)):
        return True
    return set(map(type, items)) == {float}


def _is_number(node: Any) -> bool:
    return isinstance(node, _NUMBER_TYPES) and not isinstance(node, bool | np.complexfloating)


def _floats(array: np.ndarray[Any, Any]) -> list[float]:
    if array.dtype.kind not in "iuf":
        raise TypeError(f"expected an array of real numbers, got one of dtype {array.dtype}")
    with np.errstate(over="ignore"):  # a long double beyond the range is inf
        floats: list[float] = np.asarray(array, np.float64).ravel().tolist()
    return floats


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
    """Put leaves back into their `structure`; arrays of floats become float64.

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
    parts = [_unflatten(part, supply, array) for part in structure.parts]
    if structure.kind is dict:
        return dict(zip(structure.keys, parts, strict=True))
    return structure.kind(*parts) if structure.keys else structure.kind(parts)


def paths(structure: Structure, name: str) -> Iterator[str]:
    """Name every leaf: `w` a number, `w0` and `w1_2` items, `w_key` what a dict has at a key."""
    if structure.kind == "leaf":
        yield name
    elif structure.kind == "array":
        for position in product(*[list(map(str, range(count))) for count in structure.keys]):
            yield name + "_".join(position)
    elif structure.kind is dict or structure.keys:
        for key, part in zip(structure.keys, structure.parts, strict=True):
            yield from paths(part, f"{name}_{key}")
    else:
        joint = "_" if name[-1:].isdigit() else ""
        for index, part in enumerate(structure.parts):
            yield from paths(part, f"{name}{joint}{index}")
