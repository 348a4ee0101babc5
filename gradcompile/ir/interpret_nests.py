"""Run loop nests on floats, and check them: the reference for their emitted code.

`verify_nests` runs the subscripts alone: each must stay within its array, and each element must be
assigned before it is read.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gradcompile.ir.nests import (
    BLOCK_ROWS,
    Apply,
    Array,
    Assign,
    Expression,
    Index,
    Loop,
    Place,
    Rolled,
    Step,
    Subscript,
)
from gradcompile.ir.program import Const, ProgramError

Store = dict[Array, "np.ndarray[Any, Any]"]
Rounds = Callable[[Index, dict[Index, int]], range]
Run = Callable[[Assign, dict[Index, int]], None]


def run_nests(rolled: Rolled, inputs: Sequence[float]) -> list[float | list[float]]:
    """What a rolled program returns for `inputs`, as `interpret` returns it.

    Raises:
        ValueError: the number of inputs is not the program's.
    """
    if len(inputs) != rolled.inputs:
        raise ValueError(f"{rolled.name} takes {rolled.inputs} inputs, got {len(inputs)}")
    memory = _Memory(rolled, list(map(float, inputs)))

    def value(expression: Expression, at: dict[Index, int]) -> float:
        if isinstance(expression, Const):
            return expression.value
        if isinstance(expression, Place):
            numbers, k = memory.find(expression, at)
            return float(numbers[k])
        return expression.op.evaluate(*[value(x, at) for x in expression.operands])

    def run(step: Assign, at: dict[Index, int]) -> None:
        numbers, k = memory.find(step.place, at)
        result = value(step.value, at)
        numbers[k] = numbers[k] + result if step.adds else result

    for nest in rolled.nests:
        _walk(nest.steps, {}, memory.rounds, run)
    return [
        memory.spaces[x.space].tolist() if isinstance(x, Array) else value(x, {})
        for x in rolled.outputs
    ]


def verify_nests(rolled: Rolled) -> Rolled:
    """Check the grammar of loop nests and return them.

    Raises:
        ProgramError: an index is used outside its loop, a subscript leaves its array, or an
            element is read or added to before it is assigned.
    """
    memory = _Memory(rolled, [0.0] * rolled.inputs)
    memory.spaces["data"][:] = 0.0  # the user's numbers may be nan
    for numbers in memory.kept():
        numbers[:] = np.nan

    def read(expression: Expression, at: dict[Index, int]) -> None:
        if isinstance(expression, Apply):
            for operand in expression.operands:
                read(operand, at)
        elif isinstance(expression, Place):
            numbers, k = memory.find(expression, at)
            if np.isnan(numbers[k]):
                raise ProgramError(f"{expression.array!r}[{k}] is read before it is assigned")

    def run(step: Assign, at: dict[Index, int]) -> None:
        read(step.value, at)
        if step.adds:
            read(step.place, at)
        numbers, k = memory.find(step.place, at)
        numbers[k] = 0.0

    for nest in rolled.nests:
        _walk(nest.steps, {}, memory.rounds, run)
    for output in rolled.outputs:
        if isinstance(output, Array):
            if np.isnan(memory.spaces[output.space]).any():
                raise ProgramError(f"{output.space} is returned before it is assigned")
        else:
            read(output, {})
    return rolled


class _Memory:
    """The numbers of every array; a view shares those of its space."""

    def __init__(self, rolled: Rolled, inputs: Sequence[float]) -> None:
        self.spaces: dict[str, np.ndarray[Any, Any]] = {
            "inputs": np.array(inputs),
            "data": np.array(rolled.data),
            "tables": rolled.tables,
            "count": np.array([float(BLOCK_ROWS)]),
        }
        for output in rolled.outputs:
            if isinstance(output, Array):
                self.spaces[output.space] = np.zeros(output.size)
        self.results = [key for key in self.spaces if key.startswith("output")]
        self.arrays: Store = {}

    def kept(self) -> "list[np.ndarray[Any, Any]]":
        """What must be assigned before it is read."""
        return [self.spaces[key] for key in self.results]

    def find(self, place: Place, at: dict[Index, int]) -> "tuple[np.ndarray[Any, Any], int]":
        """The numbers that hold an element, and where.

        Raises:
            ProgramError: a subscript leaves its array, or has an index from elsewhere.
        """
        array = place.array
        k = 0
        for subscript, extent in zip(place.subscripts, array.shape, strict=True):
            at_axis = self._subscript(subscript, at)
            if not 0 <= at_axis < extent:
                raise ProgramError(f"subscript {at_axis} is outside an extent of {extent}")
            k = k * extent + at_axis
        if array.space in self.spaces:
            return self.spaces[array.space], array.start + k
        if array not in self.arrays:
            self.arrays[array] = np.full(array.size, np.nan)
        return self.arrays[array], k

    def rounds(self, index: Index, at: dict[Index, int]) -> range:
        """The values that an index takes."""
        if index.start is not None:
            numbers, k = self.find(index.start, at)
            return range(int(numbers[k]), int(numbers[k + 1]))
        return index.rounds(0 if index.block is None else at[index.block])

    def _subscript(self, subscript: Subscript, at: dict[Index, int]) -> int:
        total = subscript.offset
        for index, stride in subscript.terms:
            if index not in at:
                raise ProgramError("an index is used outside its loop")
            total += stride * at[index]
        if subscript.table is not None:
            numbers, k = self.find(subscript.table, at)
            total += int(numbers[k])
        return total


def _walk(steps: Sequence[Step], at: dict[Index, int], rounds: Rounds, run: Run) -> None:
    """Every assignment in turn, with the indices of the loops around it."""
    for step in steps:
        if isinstance(step, Loop):
            for k in rounds(step.index, at):
                _walk(step.body, {**at, step.index: k}, rounds, run)
        else:
            run(step, at)
