"""The order of an array's dimensions, and the one more that rows of a batch are."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from gradcompile.ir.nests import BLOCK_ROWS
from gradcompile.roll.arrays import Access, Accesses, Shaped, Shapes, Storage, with_leaves

MIN_EXTENT_TO_MOVE = 16
"""From this extent on a dimension may become the innermost one although another one was."""

Orders = Mapping[Storage, tuple[int, ...]]
"""For each array that is changed, the former dimensions in their new order."""


def arrange(accesses: Accesses, orders: Orders) -> Accesses:
    """Bring the dimensions of arrays into another order."""

    def changed(access: Access) -> Access:
        order = orders.get(access.storage)
        if order is None:
            return access
        return Access(access.storage, tuple([access.fits[axis] for axis in order]))

    groups = [_with_accesses(group, changed) for group in accesses.groups]
    outputs = [changed(x) if isinstance(x, Access) else x for x in accesses.outputs]
    shapes = {
        storage: tuple([shape[axis] for axis in orders.get(storage, range(len(shape)))])
        for storage, shape in accesses.shapes.items()
    }
    return Accesses(tuple(groups), tuple(outputs), shapes)


def longest_innermost(shapes: Shapes) -> Orders:
    """Let the longest dimension of an array be the innermost: usually the rows of data.

    Inputs and results are flat, and stay so.
    """
    orders: dict[Storage, tuple[int, ...]] = {}
    for storage, shape in shapes.items():
        if len(shape) > 1:
            longest = max(range(len(shape)), key=lambda axis: (shape[axis], axis))
            if shape[longest] >= MIN_EXTENT_TO_MOVE and shape[longest] >= 2 * shape[-1]:
                rest = [axis for axis in range(len(shape)) if axis != longest]
                orders[storage] = (*rest, longest)
    return orders


def _with_accesses(group: Shaped, change: Callable[[Access], Access]) -> Shaped:
    leaves = [[change(leaf) for leaf in terms.leaves] for terms in group.terms]
    return replace(with_leaves(group, leaves), result=change(group.result))


def add_rows(accesses: Accesses, rows: Storage, totals: Collection[Storage]) -> Accesses:
    """Give every array whose elements depend on a row of the batch an element for each row.

    Args:
        accesses: what is read and written.
        rows: the array of the rows.
        totals: results in which the rows are summed up.
    """
    by_row = {rows, *(x for x in accesses.outputs if isinstance(x, Storage))}
    while True:
        more = {
            group.result.storage
            for group in accesses.groups
            if group.result.storage not in by_row
            and any(leaf.storage in by_row for terms in group.terms for leaf in terms.leaves)
        }
        if not more:
            break
        by_row |= more
    by_row -= {*totals}
    groups = [replace(g, is_total=g.result.storage in totals) for g in accesses.groups]
    shapes = {x: (*s, BLOCK_ROWS) if x in by_row else s for x, s in accesses.shapes.items()}
    return Accesses(tuple(groups), accesses.outputs, shapes)
