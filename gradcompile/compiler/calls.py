"""Calls of machine code: of flat inputs, and of plain arguments without any detour."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from gradcompile.compiler import results
from gradcompile.compiler.fast_path import is_vector, vector_reader
from gradcompile.compiler.request import Request

Run = Callable[..., Any]
"""Machine code on contiguous float64 inputs, and matrices of rows: it gives the flat result."""

FastCall = Callable[[tuple[Any, ...]], Any] | None
"""The call of a kernel, of the tuple of its arguments; it gives None if they are not plain."""

FastFlat = Callable[[Any, Mapping[str, Any]], Any] | None
"""The same of `Kernel.flat`: of the vector, and the rest by name."""


class Calls(Protocol):
    """Ways to call a kernel, once there is machine code."""

    def runner(self, machine: Run) -> Run:
        """Make the function that gives the flat result, for all rows."""

    def unpacker(self) -> Callable[[Any], Any]:
        """Make the function that gives a flat result the structure that the user knows."""

    def fast_call(
        self, run: Run, unpack: Callable[[Any], Any], names: Sequence[str], types: Sequence[type]
    ) -> FastCall:
        """Make the call of arguments with these names and types; None if they cannot be plain."""

    def fast_flat(self, run: Run) -> FastFlat:
        """Make the call of `flat`; None if it takes arguments by name."""


@dataclass(frozen=True)
class PlainCalls:
    """Calls of a kernel without rows."""

    request: Request

    def runner(self, machine: Run) -> Run:
        """Return the machine code: there are no rows to spread over threads."""
        return machine

    def unpacker(self) -> Callable[[Any], Any]:
        """Make the function that gives a flat result the structure that the user knows."""
        return results.unpacker(self.request)

    def fast_call(
        self, run: Run, unpack: Callable[[Any], Any], names: Sequence[str], types: Sequence[type]
    ) -> FastCall:
        """Make the call of arguments with these names and types; None if they cannot be plain."""
        arguments = self.request.traced.arguments
        read = vector_reader([arguments[name] for name in names], types)
        if read is None:
            return None

        def call(args: tuple[Any, ...]) -> Any:
            vector = read(args)
            return None if vector is None else unpack(run(vector))

        return call

    def fast_flat(self, run: Run) -> FastFlat:
        """Make the call of `flat`; None if it takes arguments by name."""
        count = len(self.request.slots)
        if count < len(self.request.traced.lowered.names):
            return None
        shape = (count,)
        return lambda x, others: None if others or not is_vector(x, shape) else run(x)
