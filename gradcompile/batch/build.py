"""The build of a batched kernel: loops over the rows, totals, and what comes out by row."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import islice
from operator import getitem
from typing import Any

import numpy as np

from gradcompile.batch.rows import Matrices, arrays_in, unflatten_rows
from gradcompile.batch.threads import spread
from gradcompile.compiler.build import Build, FastCall, FastFlat
from gradcompile.compiler.fast_path import rows_caller, vector_reader
from gradcompile.emit.nests import emit_nests
from gradcompile.ir.nests import BLOCK_ROWS, Rolled
from gradcompile.ir.program import Program
from gradcompile.roll import roll
from gradcompile.support.arrays import FloatArray
from gradcompile.verify.fingerprint import Fingerprint, apply, fingerprints

LEAST = 4 * BLOCK_ROWS
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

    @cached_property
    def run(self) -> Callable[..., Any]:
        """The flat result by machine code, the rows spread over threads if that was asked for."""
        machine, threads, few = self._entry(), self.options.threads, 2 * LEAST
        if threads == 1:
            return machine

        def run(inputs: FloatArray, matrices: Matrices) -> Any:
            rows = len(matrices[0])
            if rows < few:
                return machine(inputs, matrices)

            def part(start: int, stop: int) -> Any:
                some = tuple([matrix[start:stop] for matrix in matrices])
                return stop - start, machine(inputs, some)

            return self._joined(spread(part, rows, threads, LEAST), rows)

        return run

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

    def _value(self, result: Any) -> Any:
        if self.options.reduce is None:
            return unflatten_rows(self.traced.result, result)
        return super()._value(result)

    def _reader(self, name: str) -> Callable[[FloatArray], Any]:
        if self.options.reduce is not None and name not in self.options.batched:
            return super()._reader(name)
        argument = self.traced.arguments[name]
        return lambda part: unflatten_rows(argument, list(part))

    def fast_call(self, names: Sequence[str], types: Sequence[type]) -> FastCall:
        """The call of arguments with these names and types; None if they cannot be plain."""
        arguments, batched = self.traced.arguments, self.options.batched
        rest = [k for k, name in enumerate(names) if name not in batched]
        vector_of = vector_reader([arguments[names[k]] for k in rest], [types[k] for k in rest])
        if vector_of is None:
            return None
        rows = {k: arguments[name] for k, name in enumerate(names) if name in batched}
        run = rows_caller(self.run, self.traced.lowered.given, rows, getitem, len(names))
        unpack = self.unpack

        def call(args: tuple[Any, ...]) -> Any:
            result = run(vector_of([args[k] for k in rest]), args)
            return None if result is None else unpack(result)

        return call

    @cached_property
    def fast_flat(self) -> FastFlat:
        """The call of `flat`; None if it takes more by name than the rows."""
        given = self.traced.lowered.given
        if self._given < given:
            return None
        rows = {name: self.traced.arguments[name] for name in self.options.batched}
        return rows_caller(self.run, given, rows, dict.get, len(rows))

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
