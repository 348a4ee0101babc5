"""Calls of a kernel on flat vectors."""

from collections.abc import Callable, Mapping
from typing import Any

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.derived import Derived
from gradcompile.compiler.flat_arguments import placed, told
from gradcompile.compiler.options import Kind
from gradcompile.graph.trace import Traced
from gradcompile.support.arrays import FloatArray

FlatCalls = tuple[Callable[[Any, Any, Mapping[str, Any]], Any], Callable[..., Any]]
"""A call on a vector written for what it will get, and the general one."""


class Flat(Derived):
    """A derived function that is called on a vector, as solvers do."""

    __slots__ = ("_flats",)

    def __init__(self, arguments: Arguments, kind: Kind, path: str = "") -> None:
        super().__init__(arguments, kind, path)
        self._flats: dict[Traced | None, FlatCalls] = {}

    def flat(
        self, x: Any, p: Any = None, /, *args: Any, out: FloatArray | None = None, **others: Any
    ) -> Any:
        """Call the kernel on one flat vector, as `scipy.optimize` wants it.

        The vector, and the rows of a batched function, are read as the arguments of calls before,
        the latest new structure of them. So a function of several differentiated arguments has to
        be called once before; a graph, or a function of one vector, need not.

        Args:
            x: the differentiated inputs, in order, as one vector.
            p: the direction as one vector, where the kernel takes one: tangents or the vector of
                `hvp`, as long as `x`; cotangents or weights, as many as there are outputs.
            args: the arguments that are not differentiated by, in order, as solvers give them;
                where the kernel takes no direction they begin with `p`.
            out: an array that the derivative, or a value of several numbers, is put into.
            others: the same by name; static ones tell which of the calls before is meant.

        Returns:
            A float, a float64 vector, a matrix of shape (outputs, inputs) for a Jacobian, or
            several of these, by kernel. Where there is a result for each row, the axis of the rows
            comes first.

        Raises:
            ValueError: a vector has another length, or the kernel differentiates by rows.
            TypeError: an argument is missing, something in a vector is no real number, or there
                is an `out` for a value that is one number.
        """
        if args or (p is not None and not self._kind.direction):
            given = args if self._kind.direction else (p, *args)
            p = p if self._kind.direction else None
            others = placed(self._arguments, given, others)
        named: Mapping[str, Any] = others
        traced = self._arguments.newest
        has_defaults = bool(self._arguments.parameters.defaults)
        if traced is None or has_defaults or not others.keys() <= traced.arguments.keys():
            traced, named = told(self._arguments, x, others)
        known = self._flats.get(traced)
        if known is None:
            return self._first_flat(traced, x, p, out, named)
        written, general = known
        return written(x, p, named) if out is None else general(x, p, out, named)

    def _first_flat(
        self, traced: Traced | None, x: Any, p: Any, out: Any, named: Mapping[str, Any]
    ) -> Any:
        """Call a structure of arguments on a vector; later calls are written ones."""
        from gradcompile.compiler.flat_calls import flat_call, written_flat

        traced = traced or self._arguments.latest()
        build = self._build(traced)

        def run(*given: Any) -> Any:
            return build.run(*given)  # machine code is made when the arguments were looked at

        general = flat_call(build.request, self._arguments, run)
        result = general(x, p, out, named)
        written = written_flat(build.request, build.run, general)
        wrap = self._wrap(build.request)
        if wrap is None:
            self._flats.setdefault(traced, (written, general))
            return result

        def wrapped(parts: Any) -> Any:
            return (*parts[:-1], wrap(parts[-1])) if isinstance(parts, tuple) else wrap(parts)

        self._flats.setdefault(
            traced,
            (lambda *given: wrapped(written(*given)), lambda *given: wrapped(general(*given))),
        )
        return wrapped(result)
