"""Do the loops compute what the straight-line text computes? Both are run on fingerprints."""

from collections.abc import Callable, Sequence
from itertools import chain

import numpy as np

from gradcompile.ir.program import Program
from gradcompile.support.arrays import AnyArray
from gradcompile.verify.fingerprint import Fingerprint, apply, fingerprints

Constants = Callable[[AnyArray], tuple[AnyArray, ...]]
"""What a text takes after its inputs, made of the data of its program."""


def unlike(
    program: Program, function: str, straight: str, rolled: str, constants: Constants
) -> set[int]:
    """Find the flat results, by index, that the loops compute otherwise than the straight text.

    Args:
        program: what both compute.
        function: its name in both texts.
        straight: the text without loops: of the inputs and the data.
        rolled: the text with loops: of the inputs and the constants.
        constants: makes these of the data.
    """
    given = np.array([apply("input", k) for k in range(len(program.inputs))], object)
    expected = fingerprints(straight, function, given)
    count = len(given) - len(program.data)
    found = fingerprints(rolled, function, given[:count], *constants(given[count:]))
    pairs = zip(chain(*expected), chain(*found), strict=True)
    return {k for k, (a, b) in enumerate(pairs) if a != b}


def unlike_by_rows(
    program: Program,
    function: str,
    straight: str,
    rolled: str,
    constants: Constants,
    *,
    widths: Sequence[int],
    sizes: Sequence[int],
    mean: bool,
) -> set[int]:
    """Find the same for loops over rows: two are compared with the straight text of each.

    Args:
        program: that of one row.
        function: its name in both texts.
        straight: the text without loops: of the inputs, the row and the data.
        rolled: the text with loops: of the inputs, the matrices of rows and the constants.
        constants: makes these of the data.
        widths: how many columns each matrix has.
        sizes: how many components each result has.
        mean: is what is summed up divided by the number of rows?
    """
    given = [apply("input", k) for k in range(program.given)]
    data = [apply("data", k) for k in range(len(program.data))]
    rows = [[apply("row", r, k) for k in range(program.rows)] for r in range(2)]
    expected = []
    for row in rows:
        results = fingerprints(straight, function, np.array([*given, *row, *data], object))
        expected.append(list(chain(*results)))
    matrices, start = [], 0
    for width in widths:
        matrices.append(np.array([row[start : start + width] for row in rows], object))
        start += width
    results = fingerprints(
        rolled, function, np.array(given, object), tuple(matrices),
        *constants(np.array(data, object)),
    )  # fmt: skip
    found = _by_component(results, sizes)
    triples = enumerate(zip(*expected, found, strict=True))
    return {k for k, (a, b, result) in triples if result not in _reduced(a, b, mean)}


def _by_component(
    results: Sequence[list[Fingerprint]], sizes: Sequence[int]
) -> list[list[Fingerprint]]:
    """Give for each component of each result its total, or what it is for each of two rows."""
    components = []
    for part, size in zip(results, sizes, strict=True):
        rows = len(part) // max(size, 1)
        components += [part[k * rows : (k + 1) * rows] for k in range(size)]
    return components


def _reduced(a: Fingerprint, b: Fingerprint, mean: bool) -> list[list[Fingerprint]]:
    """List what may come of a component of two rows: a total, or both."""
    if mean:
        return [[(a + b) / 2], [a / 2, b / 2]]
    return [[a + b], [a, b]]
