"""The build of a batched kernel: loops over the rows, totals, and what comes out by row."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from gradcompile.build import Build, Flat
from gradcompile.emit_nests import emit_nests
from gradcompile.fingerprint import Fingerprint, apply, fingerprints
from gradcompile.ir import Program
from gradcompile.nests import ROWS, Rolled
from gradcompile.options import GRAD, VALUE
from gradcompile.roll import roll
from gradcompile.rows import Matrices, arrays_in, unflatten_rows
from gradcompile.threads import spread
from gradcompile.tree import NUMBER, unflatten

LEAST = 4 * ROWS
"""The fewest rows that are worth a thread."""


class BatchBuild(Build):
    """One kernel of a batched function, for one structure of rows."""

    has_loops = True

    @cached_property
    def matrices(self) -> int:  # type: ignore[override]
        """How many matrices of rows the emitted function takes."""
        return len(self._widths())

    @property
    def _summary(self) -> str:
        how = f"the {self.options.reduce} over" if self.options.reduce else "for each of"
        return f"{super()._summary}, {how} the rows of {', '.join(self.options.batched)}"

    @cached_property
    def _given(self) -> int:
        """How many components of the gradient are by arguments that are not batched."""
        given = self.traced.lowered.given
        return sum(slot < given for slot in self.slots)

    @cached_property
    def _gradients(self) -> list[list[int]]:
        """The components of each array that a gradient consists of: totals apart from rows."""
        if not self.mode.differentiates:
            return []
        if self.options.reduce is None:
            return [self.slots]
        parts = [self.slots[: self._given], self.slots[self._given :]]
        return [part for part in parts if part] or [[]]

    def _roll(self, program: Program) -> Rolled:
        first = int(self.mode.keeps_value)
        outputs = list(program.outputs)
        if self.mode.differentiates:
            (gradient,) = outputs[first:]
            assert isinstance(gradient, tuple)
            supply = iter(gradient)
            outputs[first:] = [tuple(islice(supply, len(part))) for part in self._gradients]
        slots = {first + k: found for k, found in enumerate(self._gradients)}
        program = replace(program, outputs=tuple(outputs))
        return roll(program, self.options.strict, list(self._labels()), slots, self._totals)

    @cached_property
    def _totals(self) -> set[int]:
        """The numbers of the results that are summed up over the rows."""
        if self.options.reduce is None:
            return set()
        first, given = int(self.mode.keeps_value), self.traced.lowered.given
        by_given = [all(slot < given for slot in slots) for slots in self._gradients]
        return {*range(first), *(first + k for k, total in enumerate(by_given) if total)}

    def _emit(self, rolled: Rolled) -> str:
        mean = self.options.reduce == "mean"
        name = self.function_name
        return emit_nests(rolled, name, self._summary, self._array, mean=mean)

    def run(self, inputs: Flat, matrices: Matrices = ()) -> Any:
        """The flat result by machine code, the rows spread over threads if that was asked for."""
        machine, constants = self.machine, self.constants
        rows = len(matrices[0])
        if self.options.threads == 1 or rows < 2 * LEAST:
            return machine(inputs, matrices, *constants)

        def part(start: int, stop: int) -> Any:
            some = tuple([matrix[start:stop] for matrix in matrices])
            return stop - start, machine(inputs, some, *constants)

        return self._joined(spread(part, rows, self.options.threads, LEAST), rows)

    def _joined(self, parts: Sequence[tuple[int, Any]], rows: int) -> Any:
        """The result for all rows from those for some rows each; the same for the same parts."""
        if len(parts) == 1:
            return parts[0][1]
        single = not isinstance(parts[0][1], tuple)
        columns = zip(*([result] if single else result for _, result in parts), strict=True)
        joined = []
        for number, column in enumerate(columns):
            found = list(column)
            if self.options.reduce == "mean":  # each is the mean of its own rows
                found = [x * (count / rows) for x, (count, _) in zip(column, parts, strict=True)]
            is_total = number in self._totals
            joined.append(sum(found[1:], found[0]) if is_total else np.concatenate(found, axis=-1))
        return joined[0] if single else tuple(joined)

    def unpack(self, result: Any) -> Any:
        """The kernel's result in the structure that the user knows."""
        if self.mode is GRAD:
            return self._by_argument([result] if len(self._gradients) == 1 else result)
        if self.mode is VALUE:
            return self._value(result)
        value, *arrays = result
        return self._value(value), self._by_argument(arrays)

    def _value(self, result: Any) -> Any:
        if self.traced.result == NUMBER:
            return result
        if self.options.reduce is None:
            return unflatten_rows(self.traced.result, result)
        return unflatten(self.traced.result, result.tolist())

    def _by_argument(self, arrays: Sequence[Flat]) -> Any:
        parts = []
        for name in self.wrt:
            argument, places = self.traced.arguments[name], self.traced.places[name]
            batched = name in self.options.batched
            number = len(arrays) - 1 if batched else 0  # rows come after totals
            start = bisect_left(self._gradients[number], places.start)
            part = arrays[number][start : start + len(places)]
            if self.options.reduce is None or batched:
                parts.append(unflatten_rows(argument, list(part)))
            else:
                parts.append(self._part(argument, part))
        return self.gradient_type(*parts)

    def differing(self) -> set[int]:
        """The places of the flat results that loops compute otherwise than the text of one row."""
        program = self.program
        given = [apply("input", k) for k in range(program.given)]
        data = [apply("data", k) for k in range(len(program.data))]
        rows = [[apply("row", r, k) for k in range(program.rows)] for r in range(2)]
        expected = []
        for row in rows:
            inputs = np.array([*given, *row, *data], object)
            found = fingerprints(self.straight_source, self.function_name, inputs)
            expected.append([x for part in found for x in part])
        matrices, start = [], 0
        for width in self._widths():
            matrices.append(np.array([row[start : start + width] for row in rows], object))
            start += width
        constants = self.code.arguments(np.array(data, object))
        results = fingerprints(
            self.source, self.function_name, np.array(given, object), tuple(matrices), *constants
        )
        found = [x for part in self._by_component(results) for x in part]
        pairs = enumerate(zip(*expected, found, strict=True))
        return {k for k, (a, b, results) in pairs if results not in self._reduced(a, b)}

    def _by_component(
        self, results: Sequence[list[Fingerprint]]
    ) -> Iterator[list[list[Fingerprint]]]:
        """For each component of a result: its total, or what it is for each of two rows."""
        sizes = [self.traced.result.size] if self.mode.keeps_value else []
        sizes += [len(slots) for slots in self._gradients]
        for part, size in zip(results, sizes, strict=True):
            rows = len(part) // max(size, 1)
            yield [part[k * rows : (k + 1) * rows] for k in range(size)]

    def _reduced(self, a: Fingerprint, b: Fingerprint) -> list[list[Fingerprint]]:
        """What may come of a component of two rows: a total, or both."""
        count = 2 if self.options.reduce == "mean" else 1
        if count == 1:
            return [[a + b], [a, b]]
        return [[(a + b) / count], [a / count, b / count]]

    def _widths(self) -> list[int]:
        """How many columns each matrix has."""
        arguments = self.traced.arguments
        batched = self.options.batched
        return [s.size for name in arguments if name in batched for s in arrays_in(arguments[name])]
