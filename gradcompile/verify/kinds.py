"""What the numbers that each kind of kernel returns claim to be.

Inputs, tangents and cotangents are parameters as the texts write them, `x` or `w[0, 1]`; outputs
are in the order in which the text that is differentiated returns them.
"""

from collections.abc import Iterable, Sequence
from itertools import product

from gradcompile.ir.program import ADJOINT
from gradcompile.verify.claims import Entry

TANGENT = "_dot"
"""What the name of a tangent ends with."""

Places = Iterable[tuple[int, int]]
"""The row and the column of each entry, in the order in which they are returned."""


def of_jacobian(
    outputs: Sequence[str], inputs: Sequence[str], places: Places | None = None
) -> list[Entry]:
    """Claim derivatives of outputs by inputs; without places all of them, row by row.

    Example:
        >>> [entry.name for entry in of_jacobian(["values[0]", "values[1]"], ["x"])]
        ['d values[0]/dx', 'd values[1]/dx']
    """
    if places is None:
        places = product(range(len(outputs)), range(len(inputs)))
    return [
        Entry(f"d {outputs[row]}/d{inputs[column]}", {row: None}, {inputs[column]: None})
        for row, column in places
    ]


def of_hessian(inputs: Sequence[str], places: Places | None = None, start: int = 0) -> list[Entry]:
    """Claim second derivatives: those of a gradient by the inputs; without places all of them.

    Args:
        inputs: by which the gradient is made, too.
        places: see `of_jacobian`.
        start: how many results the text of the gradient returns before it, as the value.

    Example:
        >>> [entry.name for entry in of_hessian(["x", "y"], [(0, 0), (1, 0)])]
        ['d²/dx dx', 'd²/dy dx']
    """
    if places is None:
        places = product(range(len(inputs)), range(len(inputs)))
    return [
        Entry(f"d²/d{inputs[a]} d{inputs[b]}", {start + a: None}, {inputs[b]: None})
        for a, b in places
    ]


def of_hessian_diagonal(inputs: Sequence[str], start: int = 0) -> list[Entry]:
    """Claim the second derivatives by the same input twice; arguments as for `of_hessian`."""
    return of_hessian(inputs, [(k, k) for k in range(len(inputs))], start)


def of_jvp(outputs: Sequence[str], inputs: Sequence[str], tangents: Sequence[str]) -> list[Entry]:
    """Claim the derivatives of outputs along the tangents of the inputs.

    Example:
        >>> of_jvp(["value"], ["x"], ["x_dot"])
        [Entry(name='value_dot', outputs={0: None}, inputs={'x': 'x_dot'})]
    """
    along = dict(zip(inputs, tangents, strict=True))
    return [Entry(_with(TANGENT, x), {number: None}, along) for number, x in enumerate(outputs)]


def of_vjp(inputs: Sequence[str], cotangents: Sequence[str]) -> list[Entry]:
    """Claim the sums of the derivatives of all outputs by each input, times their cotangents.

    Example:
        >>> of_vjp(["x"], ["value_bar"])
        [Entry(name='x_bar', outputs={0: 'value_bar'}, inputs={'x': None})]
    """
    weights = dict(enumerate(cotangents))
    return [Entry(_with(ADJOINT, x), weights, {x: None}) for x in inputs]


def of_hvp(inputs: Sequence[str], vector: Sequence[str], start: int = 0) -> list[Entry]:
    """Claim the product of the Hessian and a vector; other arguments as for `of_hessian`.

    Example:
        >>> of_hvp(["x"], ["x_dot"])
        [Entry(name='x_bar_dot', outputs={0: None}, inputs={'x': 'x_dot'})]
    """
    along = dict(zip(inputs, vector, strict=True))
    return [
        Entry(_with(TANGENT, _with(ADJOINT, x)), {start + number: None}, along)
        for number, x in enumerate(inputs)
    ]


def of_values(outputs: Sequence[str]) -> list[Entry]:
    """Claim the outputs themselves, which `value_and_…` kernels return first."""
    return [Entry(name, {number: None}, None) for number, name in enumerate(outputs)]


def _with(ending: str, name: str) -> str:
    """Name the adjoint or the tangent of what may be an element of an array."""
    array, bracket, index = name.partition("[")
    return f"{array.rstrip('_')}{ending}{bracket}{index}"
