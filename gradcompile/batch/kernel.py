"""Kernels of batched functions."""

from functools import partial

from gradcompile.batch import threads
from gradcompile.batch.arguments import BatchedArguments
from gradcompile.batch.strategy import loops_over_rows
from gradcompile.compiler.build import Build
from gradcompile.compiler.kernel import Kernel
from gradcompile.graph.trace import Traced


class BatchKernel(Kernel):
    """A kernel of a batched function."""

    __slots__ = ()

    _arguments: BatchedArguments

    def _new_build(self, traced: Traced) -> Build:
        request = self._arguments.request(self._mode, traced)
        spread, few = partial(threads.over_threads, request), 2 * threads.MIN_ROWS_OF_A_THREAD
        return Build(request, partial(loops_over_rows, request), spread, few)
