"""Calls of batched kernels: rows spread over threads, and plain arrays without any detour."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import getitem
from typing import Any

from gradcompile.batch.results import RowResults
from gradcompile.batch.rows import Matrices
from gradcompile.batch.threads import spread
from gradcompile.compiler.calls import FastCall, FastFlat, Run
from gradcompile.compiler.fast_path import rows_caller, vector_reader
from gradcompile.ir.nests import BLOCK_ROWS
from gradcompile.support.arrays import FloatArray

MIN_ROWS_OF_A_THREAD = 4 * BLOCK_ROWS
"""The fewest rows that are worth a thread."""


@dataclass(frozen=True)
class RowCalls:
    """Calls of a kernel with rows."""

    results: RowResults

    def runner(self, machine: Run) -> Run:
        """Make the function that spreads rows over threads, if that was asked for."""
        threads, least = self.results.request.options.threads, MIN_ROWS_OF_A_THREAD
        if threads == 1:
            return machine

        def run(inputs: FloatArray, matrices: Matrices) -> Any:
            rows = len(matrices[0])
            if rows < 2 * least:
                return machine(inputs, matrices)

            def part(start: int, stop: int) -> Any:
                some = tuple([matrix[start:stop] for matrix in matrices])
                return stop - start, machine(inputs, some)

            return self.results.joined(spread(part, rows, threads, least))

        return run

    def unpacker(self) -> Callable[[Any], Any]:
        """Make the function that gives a flat result the structure that the user knows."""
        return self.results.unpacker()

    def fast_call(
        self, run: Run, unpack: Callable[[Any], Any], names: Sequence[str], types: Sequence[type]
    ) -> FastCall:
        """Make the call of arguments with these names and types; None if they cannot be plain."""
        request = self.results.request
        arguments, batched = request.traced.arguments, request.options.batched
        rest = [k for k, name in enumerate(names) if name not in batched]
        vector_of = vector_reader([arguments[names[k]] for k in rest], [types[k] for k in rest])
        if vector_of is None:
            return None
        rows = {k: arguments[name] for k, name in enumerate(names) if name in batched}
        run_rows = rows_caller(run, request.traced.lowered.given, rows, getitem, len(names))

        def call(args: tuple[Any, ...]) -> Any:
            result = run_rows(vector_of([args[k] for k in rest]), args)
            return None if result is None else unpack(result)

        return call

    def fast_flat(self, run: Run) -> FastFlat:
        """Make the call of `flat`; None if it takes more by name than the rows."""
        request = self.results.request
        given = request.traced.lowered.given
        if self.results.given < given:
            return None
        rows = {name: request.traced.arguments[name] for name in request.options.batched}
        return rows_caller(run, given, rows, dict.get, len(rows))
