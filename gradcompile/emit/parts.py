"""Long text in parts: where to cut it, what crosses a cut, and the functions that it becomes.

numba's time for one function grows faster than its length, so long text becomes several functions
of bounded size and one that calls them in order. What one part computes and another reads is kept
in an array, where each such value has a place of its own:

    def f(inputs):
        kept = empty(2)
        f_1(inputs, kept)
        f_2(kept)
        value = kept[1]
        return value
"""

import ast
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence
from itertools import pairwise
from typing import TypeVar

from gradcompile.emit.layout import Function, Item, Line, names_of
from gradcompile.emit.trees import call

LIMIT = 500
"""The most statements of one function."""

KEPT = "kept"
"""The array of the numbers that pass from one function to another."""

Piece = TypeVar("Piece")
Name = TypeVar("Name", bound=Hashable)


def cut(items: Sequence[Piece], limit: int) -> list[Sequence[Piece]]:
    """Cut `items` into as few stretches of at most `limit` as possible, all about equally long."""
    count = -(-len(items) // limit)
    bounds = [len(items) * part // count for part in range(count + 1)]
    return [items[start:end] for start, end in pairwise(bounds)]


def cut_by_length(
    items: Sequence[Piece], lengths: Sequence[int], limit: int
) -> list[Sequence[Piece]]:
    """Cut `items` into stretches of a length of at most `limit`, where one item is not longer."""
    starts, length = [0], 0
    for position, more in enumerate(lengths):
        if position > starts[-1] and length + more > limit:
            starts.append(position)
            length = 0
        length += more
    return [items[start:end] for start, end in pairwise([*starts, len(items)])]


def crossing(parts: Iterable[Collection[Name]], names: Iterable[Name]) -> list[Name]:
    """List the names that more than one part uses, in their order.

    Args:
        parts: for each part the names that it reads or assigns.
        names: those of values that a part may hand to another one.
    """
    users = Counter(name for part in parts for name in set(part))
    return [name for name in names if users[name] > 1]


def part_functions(
    bodies: Iterable[Iterable[Item]],
    function: str,
    available: Iterable[str],
    fresh: Callable[[str], str],
) -> tuple[list[Function], list[Line]]:
    """Make a function of each body, and the calls of them.

    Args:
        bodies: what the functions consist of.
        function: the name of the function that calls them, from which theirs are made.
        available: the names that they may take, in order; each takes those that it uses.
        fresh: gives a name that nothing else has.
    """
    functions, calls = [], []
    names = list(available)
    for position, items in enumerate(bodies, 1):
        body = tuple(items)
        used = names_of(body)
        arguments = tuple(name for name in names if name in used)
        functions.append(Function(fresh(f"{function}_{position}"), arguments, body))
        calls.append(Line(ast.Expr(call(functions[-1].name, *map(ast.Name, arguments)))))
    return functions, calls
