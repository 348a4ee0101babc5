"""What a straight-line function returns: numbers by name, and arrays that are listed or filled."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

from gradcompile.emit.statements import Statement
from gradcompile.emit.trees import call, element, float_tree, integer, tuple_tree
from gradcompile.ir.program import Const, Operand, Program, Var
from gradcompile.ir.signature import Bundle, Signature

MAX_LISTED = 16
"""The longest array that is returned as a list of names; a longer one is filled as it is made."""


@dataclass(frozen=True)
class ReturnedGroup:
    """One group of what is returned.

    Attributes:
        group: its name and its shape.
        operands: what it holds.
        is_filled: is it an array that is filled as its elements are made?
    """

    group: Bundle
    operands: tuple[Operand, ...]
    is_filled: bool

    @cached_property
    def starts_with_zeros(self) -> bool:
        """Is it made of zeros, and filled where it has others? An array of zeros alone is so.

        So is a matrix that has zeros for the most part, as a Jacobian may be.
        """
        zeros = sum(x == Const(0.0) for x in self.operands)
        return zeros == len(self.operands) or (
            len(self.group.shape or ()) > 1 and 2 * zeros > len(self.operands)
        )

    def element(self, number: int) -> ast.Subscript:
        """Write one of its elements."""
        return element(self.group.name, *self.group.element(number))


@dataclass(frozen=True)
class ReturnedGroups:
    """All that is returned.

    Attributes:
        all: each group, in order.
        entries: for each computed value that is put into an array where it is made, the element;
            the first one, if it is put into several.
        made: these elements, by the name of the array and the number in it.
    """

    all: tuple[ReturnedGroup, ...]
    entries: dict[Var, ast.Subscript]
    made: set[tuple[str, int]]

    @property
    def filled(self) -> list[ReturnedGroup]:
        """The arrays that are filled."""
        return [result for result in self.all if result.is_filled]


def results_of(program: Program, signature: Signature) -> ReturnedGroups:
    """Decide how each group of results is returned."""
    found = []
    for group, output in zip(signature.results, program.outputs, strict=True):
        operands = output if isinstance(output, tuple) else (output,)
        is_gradient = signature.gradient is not None and group in signature.gradient
        # A list is a vector: a matrix is filled, as what has no labels to be listed by is.
        is_listed = len(group.shape or ()) == 1 and not (is_gradient and not group.labels)
        is_listed = is_listed and 0 < group.size <= MAX_LISTED  # numba takes no empty list
        filled = group.shape is not None and not is_listed
        found.append(ReturnedGroup(group, operands, filled))
    computed = {instruction.result for instruction in program.instructions}
    entries: dict[Var, ast.Subscript] = {}
    made = set()
    for result in found:
        for number, operand in enumerate(result.operands if result.is_filled else ()):
            if isinstance(operand, Var) and operand in computed and operand not in entries:
                entries[operand] = result.element(number)
                made.add((result.group.name, number))
    return ReturnedGroups(tuple(found), entries, made)


def fills(results: ReturnedGroups, trees: Mapping[Operand, ast.expr]) -> Iterator[Statement]:
    """Fill the elements of arrays that no statement of a sweep fills.

    Args:
        results: all that is returned.
        trees: what each of them is in the text.
    """
    for result in results.filled:
        pairs = enumerate(result.operands)
        rest = [(k, x) for k, x in pairs if (result.group.name, k) not in results.made]
        if result.starts_with_zeros:
            rest = [(k, x) for k, x in rest if x != Const(0.0)]
        yield from _filled(result, rest, trees)


def _filled(
    result: ReturnedGroup, rest: Sequence[tuple[int, Operand]], trees: Mapping[Operand, ast.expr]
) -> Iterator[Statement]:
    """Fill elements one by one, but a stretch of zeros of a vector at once."""
    is_vector = len(result.group.shape or ()) == 1
    zeros = [number for number, operand in rest if operand == Const(0.0)]
    runs = groupby(enumerate(zeros), key=lambda pair: pair[1] - pair[0])
    stretches = [[number for _, number in run] for _, run in runs] if is_vector else []
    starts = {stretch[0]: len(stretch) for stretch in stretches if len(stretch) > 1}
    covered = {k for start, count in starts.items() for k in range(start, start + count)}
    for number, operand in rest:
        if number in starts:
            bounds = ast.Slice(integer(number), integer(number + starts[number]))
            part = ast.Subscript(ast.Name(result.group.name), bounds)
            yield Statement("", float_tree(0.0), entries=(part,))
        elif number not in covered:
            yield Statement("", trees[operand], entries=(result.element(number),))


def returned_tree(
    signature: Signature, results: ReturnedGroups, trees: Mapping[Operand, ast.expr]
) -> ast.expr:
    """Write what is returned: the value, and derivatives."""

    def tree(result: ReturnedGroup) -> ast.expr:
        if result.is_filled:
            return ast.Name(result.group.name)
        if result.group.shape is None:
            return trees[result.operands[0]]
        return call("array", ast.List([trees[operand] for operand in result.operands]))

    returned: ast.expr = signature.nest([tree(result) for result in results.all], tuple_tree)
    return returned
