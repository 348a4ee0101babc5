"""Results of batched kernels: totals over the rows, and what there is for each row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np

from gradcompile.batch.rows import arrays_in, unflatten_rows
from gradcompile.compiler.options import VALUE
from gradcompile.compiler.request import Request
from gradcompile.compiler.results import Reader, gradient_unpacker, reader, value_reader
from gradcompile.graph.nested import NUMBER, Structure


@dataclass(frozen=True, eq=False)
class RowResults:
    """The results of a batched kernel: some are totals, others have a number for each row."""

    request: Request

    @cached_property
    def given(self) -> int:
        """How many components of the gradient are by arguments that are not batched."""
        given = self.request.traced.lowered.given
        return sum(slot < given for slot in self.request.slots)

    @cached_property
    def groups(self) -> list[list[int]]:
        """For each array of the gradient, the inputs it is by: totals apart from rows."""
        slots = self.request.slots
        if not self.request.mode.differentiates:
            return []
        if self.request.options.reduce is None:
            return [slots]
        return [part for part in (slots[: self.given], slots[self.given :]) if part] or [[]]

    @cached_property
    def totals(self) -> set[int]:
        """The results, by index, that are summed up over the rows."""
        if self.request.options.reduce is None:
            return set()
        first, given = int(self.request.mode.keeps_value), self.request.traced.lowered.given
        are_totals = [all(slot < given for slot in group) for group in self.groups]
        return {*range(first), *(first + k for k, total in enumerate(are_totals) if total)}

    @property
    def sizes(self) -> list[int]:
        """How many components each result has."""
        sizes = [self.request.traced.result.size] if self.request.mode.keeps_value else []
        return sizes + [len(group) for group in self.groups]

    @property
    def widths(self) -> list[int]:
        """How many columns each matrix of rows has."""
        arguments, batched = self.request.traced.arguments, self.request.options.batched
        return [s.size for name in arguments if name in batched for s in arrays_in(arguments[name])]

    def unpacker(self) -> Callable[[Any], Any]:
        """Make the function that gives the flat result the structure that the user knows."""
        request, by_row = self.request, self.request.options.reduce is None
        traced = request.traced
        if request.mode is VALUE:
            by_row &= traced.result != NUMBER
            return _row_reader(traced.result) if by_row else value_reader(traced.result)
        readers: dict[str, Reader] = {}
        for name in request.wrt:
            kind = _row_reader if by_row or name in request.options.batched else reader
            readers[name] = kind(traced.arguments[name])
        return gradient_unpacker(request, self.groups, readers)

    def joined(self, parts: Sequence[tuple[int, Any]]) -> Any:
        """Join results for some rows each to that for all rows; the same for the same parts.

        Args:
            parts: how many rows each had, and its result.
        """
        if len(parts) == 1:
            return parts[0][1]
        counts = [count for count, _ in parts]
        results = [result if isinstance(result, tuple) else (result,) for _, result in parts]
        joined = []
        for k, column in enumerate(zip(*results, strict=True)):
            pieces = list(column)
            if self.request.options.reduce == "mean":  # each is the mean of its own rows
                pairs = zip(column, counts, strict=True)
                pieces = [x * (count / sum(counts)) for x, count in pairs]
            is_total = k in self.totals
            joined.append(sum(pieces[1:], pieces[0]) if is_total else np.concatenate(pieces, -1))
        return tuple(joined) if isinstance(parts[0][1], tuple) else joined[0]


def _row_reader(structure: Structure) -> Reader:
    """Make the function that gives components by row, each an array, their structure."""
    return partial(unflatten_rows, structure)
