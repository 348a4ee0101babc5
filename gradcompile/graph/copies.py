"""Graphs copied and pickled, at any depth: nothing here is recursive over a graph.

Python copies an object after what it refers to, one inside of the other, which a long chain does
not survive. So all nodes below the one that is copied are listed first. In a pickle they are one
`Nodes`, and each node is a place in it; as long as it is in the memo of a pickler, other nodes of
the graph find it, so that what was one object is one again.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from weakref import ref

from gradcompile.support.collector import collector_paused


class Nodes:
    """Nodes of a graph that are pickled together.

    Args:
        nodes: in an order in which operands come first.
    """

    __slots__ = ("__weakref__", "nodes")

    def __init__(self, nodes: Sequence[Any]) -> None:
        self.nodes = nodes

    @collector_paused()
    def __reduce__(self) -> tuple[Any, ...]:
        places = {id(node): place for place, node in enumerate(self.nodes)}
        operands = [tuple([places.get(id(x), x) for x in node.operands]) for node in self.nodes]
        return _made, (list(map(type, self.nodes)), operands, list(map(_state, self.nodes)))

    def __del__(self) -> None:
        for node in self.nodes:
            _PICKLED.pop(id(node), None)

    def at(self, place: int) -> Any:
        """The node at a place."""
        return self.nodes[place]


_PICKLED: dict[int, tuple[ref[Nodes], int]] = {}
"""By the id of a node, its place in a pickle that is being written."""


class Copied:
    """A node of a graph: it has `operands`, is copied with all that is below it, and pickled so."""

    __slots__ = ()

    def _below(self, known: Any) -> Sequence[Any]:
        """List all that is below and the node itself, operands first; and below none of `known`."""
        raise NotImplementedError

    def __copy__(self) -> Any:
        node: Any = self
        return _node(type(node), node.operands, _state(node))

    @collector_paused()
    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        for node in self._below(_Known(memo)):
            if id(node) not in memo:
                _require_copyable(node)
                operands = tuple([memo[id(operand)] for operand in node.operands])
                memo[id(node)] = _node(type(node), operands, _state(node))
        return memo[id(self)]

    @collector_paused()
    def __reduce__(self) -> tuple[Any, ...]:
        known, place = _PICKLED.get(id(self), (None, 0))
        nodes = None if known is None else known()
        if nodes is None:
            found = [x for x in self._below(_Known(_PICKLED)) if id(x) not in _PICKLED]
            for node in found:
                _require_copyable(node)
            nodes, place = Nodes(found), len(found) - 1
            reference = ref(nodes)
            _PICKLED.update({id(node): (reference, k) for k, node in enumerate(found)})
        return Nodes.at, (nodes, place)


def _require_copyable(node: Any) -> None:
    """Raise a TypeError for an operation of the user's: its function is about these very nodes."""
    if getattr(node.op, "backward", None) is not None:
        raise TypeError(
            f"a Value made by an operation of your own, {node.op.name or '_backward'!r}, cannot be "
            "copied: the function that was assigned to its `_backward` knows the original alone"
        )


class _Known:
    """The objects whose ids are in a mapping."""

    def __init__(self, by_id: Any) -> None:
        self._by_id = by_id

    def __contains__(self, node: Any) -> bool:
        return id(node) in self._by_id


class _Unset:
    """Stands for what a slot holds that was not set."""


@lru_cache
def _slots(kind: Any) -> list[str]:
    names = [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]
    return [name for name in names if name not in ("__weakref__", "operands")]


def _state(node: Any) -> tuple[Any, ...]:
    kind: Any = type(node)
    slots = tuple([getattr(node, name, _Unset) for name in _slots(kind)])
    return (*slots, vars(node)) if hasattr(node, "__dict__") else slots


def _node(kind: Any, operands: tuple[Any, ...], state: tuple[Any, ...]) -> Any:
    node = kind.__new__(kind)
    node.operands = operands
    slots = _slots(kind)
    for name, x in zip(slots, state, strict=False):
        if x is not _Unset:
            setattr(node, name, x)
    if len(state) > len(slots):
        vars(node).update(state[-1])
    return node


@collector_paused()
def _made(kinds: list[type], operands: list[Any], states: list[tuple[Any, ...]]) -> Nodes:
    nodes: list[Any] = []
    for kind, places, state in zip(kinds, operands, states, strict=True):
        known = tuple([nodes[x] if isinstance(x, int) else x for x in places])
        nodes.append(_node(kind, known, state))
    return Nodes(nodes)
