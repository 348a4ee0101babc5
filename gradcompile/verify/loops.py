"""Do the loops compute what the straight-line text computes? Both are run on fingerprints."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from gradcompile.ir.program import Program
from gradcompile.ir.signature import Bundle, Signature
from gradcompile.support.arrays import AnyArray
from gradcompile.verify.fingerprint import Fingerprint, apply, fingerprints

Constants = Callable[[AnyArray], tuple[AnyArray, ...]]
"""What a text takes after its parameters, made of the data of its program."""


def unlike(
    program: Program,
    signature: Signature,
    function: str,
    straight: str,
    rolled: str,
    constants: Constants,
) -> set[int]:
    """List the flat results, by index, that loops compute otherwise than the straight text.

    Args:
        program: what both compute.
        signature: what the function takes and returns.
        function: its name in both texts.
        straight: the text without loops, which takes the data as an array.
        rolled: the text with loops, which takes the constants.
        constants: makes these of the data.
    """
    given = np.array([apply("input", k) for k in range(len(program.inputs))], object)
    count = len(given) - len(program.data)
    alone = signature.of_one_row(len(program.data))
    expected = fingerprints(straight, function, *alone.arguments(given))
    arguments = signature.arguments(given[:count])
    found = fingerprints(rolled, function, *arguments, *constants(given[count:]))
    pairs = zip(chain(*expected), chain(*found), strict=True)
    return {k for k, (a, b) in enumerate(pairs) if a != b}


def unlike_by_rows(
    program: Program,
    signature: Signature,
    function: str,
    straight: str,
    rolled: str,
    constants: Constants,
    *,
    mean: bool,
) -> set[int]:
    """List the same for loops over rows: two rows are compared with the straight text of each.

    Args:
        program: that of one row.
        signature: what the function takes and returns.
        function: its name in both texts.
        straight: the text without loops, of one row, which takes the data as an array.
        rolled: the text with loops, which takes arrays of rows, and the constants.
        constants: makes these of the data.
        mean: is what is summed up divided by the number of rows?
    """
    given = [apply("input", k) for k in range(program.given)]
    data = [apply("data", k) for k in range(len(program.data))]
    rows = [[apply("row", r, k) for k in range(program.rows)] for r in range(2)]
    alone = signature.of_one_row(len(data))
    expected = []
    for row in rows:
        arguments = alone.arguments(np.array([*given, *row, *data], object))
        expected.append(list(chain(*fingerprints(straight, function, *arguments))))
    flat = [np.array([*given, *row], object) for row in rows]
    parameters = [_of_rows(group, flat) for group in signature.parameters]
    results = fingerprints(rolled, function, *parameters, *constants(np.array(data, object)))
    found = _by_component(results, signature.results)
    triples = enumerate(zip(*expected, found, strict=True))
    return {k for k, (a, b, result) in triples if result not in _reduced(a, b, mean)}


def _of_rows(group: Bundle, flat: Sequence[AnyArray]) -> Any:
    """One parameter: what all rows share, or the array of what each has."""
    if not group.is_row:
        return group.read(flat[0])
    return np.stack([np.array(group.read(row), object) for row in flat])


def _by_component(
    results: Sequence[list[Fingerprint]], groups: Sequence[Bundle]
) -> Iterator[list[Fingerprint]]:
    """List for each component of each result its total, or what it is for each of two rows."""
    for part, group in zip(results, groups, strict=True):
        for k in range(group.size):
            yield part[k :: group.size]


def _reduced(a: Fingerprint, b: Fingerprint, mean: bool) -> list[list[Fingerprint]]:
    """What may come of a component of two rows: a total, or both."""
    if mean:
        return [[(a + b) / 2], [a / 2, b / 2]]
    return [[a + b], [a, b]]
