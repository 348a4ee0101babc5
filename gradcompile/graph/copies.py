"""Graphs copied and pickled, at any depth: nothing here is recursive over a graph.

Python copies an object after what it refers to, one inside of the other, which a long chain does
not survive. So all nodes below the one that is copied are listed first. In a pickle they are one
`Nodes`, and each node is a place in it; as long as it is in the memo of a pickler, other nodes of
the graph find it, so that what was one object is one again.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any
from weakref import ref

from gradcompile.support.collector import collector_paused

Walk = Callable[[Any, Any], Sequence[Any]]
"""Lists all below a node, operands first; does not look below those that are in the second."""


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


@collector_paused()
def reduced(root: Any, walk: Walk) -> tuple[Any, ...]:
    """What a pickle holds of a node.

    Args:
        root: the node.
        walk: lists what is below it.
    """
    known, place = _PICKLED.get(id(root), (None, 0))
    nodes = None if known is None else known()
    if nodes is None:
        found = [node for node in walk(root, _Known(_PICKLED)) if id(node) not in _PICKLED]
        nodes, place = Nodes(found), len(found) - 1
        reference = ref(nodes)
        _PICKLED.update({id(node): (reference, k) for k, node in enumerate(found)})
    return Nodes.at, (nodes, place)


@collector_paused()
def copied(root: Any, memo: dict[int, Any], walk: Walk) -> Any:
    """Copy a node and all below it that is not in `memo`, and put the copies there.

    Args:
        root: the node.
        memo: copies by the ids of what they are copies of, as `copy.deepcopy` has them.
        walk: lists what is below it.
    """
    for node in walk(root, _Known(memo)):
        if id(node) not in memo:
            operands = tuple([memo[id(operand)] for operand in node.operands])
            memo[id(node)] = _node(type(node), operands, _state(node))
    return memo[id(root)]


def shallow(node: Any) -> Any:
    """Copy a node alone."""
    return _node(type(node), node.operands, _state(node))


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
