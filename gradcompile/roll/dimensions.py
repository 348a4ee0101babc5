"""The order of an array's dimensions, and the one more that rows of a batch are."""

from collections.abc import Sequence

from gradcompile.ir.nests import BLOCK_ROWS, Array
from gradcompile.roll.arrays import Arrays, Shaped

LONG = 16
"""From this extent on a dimension may become the innermost one although another one was."""


def arrange(shaped: Sequence[Shaped], arrays: Arrays) -> dict[Array, list[int]]:
    """Let the longest dimension of every array be the innermost: usually the rows of data.

    Returns:
        For each array that was changed, the former dimensions in their new order.
    """
    fixed = {arrays.inputs, arrays.rows, *arrays.outputs}
    accesses = [
        access
        for group in shaped
        for access in (group.place, *(x for t in group.terms for x in t.leaves))
    ]
    orders: dict[Array, list[int]] = {}
    for access in accesses:
        shape = access.array.shape
        if access.array not in orders and access.array not in fixed and len(shape) > 1:
            longest = max(range(len(shape)), key=lambda axis: (shape[axis], axis))
            if shape[longest] >= LONG and shape[longest] >= 2 * shape[-1]:
                rest = [axis for axis in range(len(shape)) if axis != longest]
                orders[access.array] = [*rest, longest]
    for access in accesses:
        if access.array in orders:
            access.fits = [access.fits[axis] for axis in orders[access.array]]
    for array, order in orders.items():
        array.shape = tuple(array.shape[axis] for axis in order)
    return orders


def add_rows(shaped: Sequence[Shaped], arrays: Arrays) -> None:
    """Give every array whose elements depend on a row of the batch an element for each row."""
    found = {arrays.rows, *(x for x in arrays.outputs if x is not None)}
    while True:
        more = {
            group.place.array
            for group in shaped
            if group.place.array not in found
            and any(leaf.array in found for terms in group.terms for leaf in terms.leaves)
        }
        if not more:
            break
        found |= more
    for group in shaped:
        group.is_total = group.place.array in arrays.totals
    for array in found - arrays.totals:
        array.shape = (*array.shape, BLOCK_ROWS)
