"""Kernels of batched functions."""

from functools import partial
from typing import Any

from gradcompile.batch.arguments import BatchedArguments
from gradcompile.batch.calls import RowCalls
from gradcompile.batch.results import RowResults
from gradcompile.batch.strategy import loops_over_rows
from gradcompile.compiler.build import Build
from gradcompile.compiler.flat import vector_of, with_others
from gradcompile.compiler.kernel import Kernel
from gradcompile.compiler.request import Request
from gradcompile.graph.trace import Traced


class BatchKernel(Kernel):
    """A kernel of a batched function."""

    _arguments: BatchedArguments

    def _new_build(self, traced: Traced) -> Build:
        arguments = self._arguments
        results = RowResults(Request(self._mode, traced, arguments.wrt, arguments.options))
        return Build(results.request, partial(loops_over_rows, results), RowCalls(results))

    def _general_flat(self, build: Build, x: Any, others: dict[str, Any]) -> Any:
        arguments, request = self._arguments, build.request
        batched = arguments.options.batched
        if any(name in batched for name in arguments.wrt):
            wrt = list(arguments.wrt)
            raise ValueError(f"flat: {arguments.name} is differentiated by its rows, {wrt}")
        vector = vector_of(x, request)
        rows = {name: others.pop(name) for name in batched if name in others}
        matrices = arguments.matrices(rows, request.traced)
        if len(request.slots) != request.traced.lowered.given:
            vector = with_others(vector, others, arguments, request)
        elif others:
            raise TypeError(f"flat: unexpected arguments {list(others)}")
        return build.run(vector, matrices)
