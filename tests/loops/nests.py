"""Small loop nests, made by hand."""

from gradcompile.ir.nests import Array, Assign, Formula, Loop, Nest, Place, Subscript
from gradcompile.ir.sweeps import FORWARD_SWEEP, REVERSE_SWEEP, Sweep


def at(array, *subscripts):
    """The element of an array: subscripts are numbers, indices, or (index, stride, offset)."""
    found = []
    for x in subscripts:
        if isinstance(x, int):
            found.append(Subscript(x))
        elif isinstance(x, tuple):
            index, stride, offset = x
            found.append(Subscript(offset, ((index, stride),)))
        else:
            found.append(Subscript(0, ((x, 1),)))
    return Place(array, tuple(found))


def loop(*indices_and_body, is_product=False):
    """The loops over some indices, around what comes after them."""
    index, *rest = indices_and_body
    inner = rest[0] if isinstance(rest[0], Assign | Loop) else None
    body = tuple(rest) if inner is not None else (loop(*rest),)
    return Loop(index, body, is_product)


def nest(*steps, reverse=False):
    """A nest with the formula of its last assignment."""
    sweep = Sweep(1, REVERSE_SWEEP) if reverse else FORWARD_SWEEP
    last = steps[-1]
    while isinstance(last, Loop):
        last = last.body[-1]
    return Nest(steps, (Formula(last.place, (((), last.value),)),), sweep)


def inputs(size):
    """The flat array of the inputs."""
    return Array((size,), space="inputs")
