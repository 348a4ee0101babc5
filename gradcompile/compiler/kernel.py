"""Kernels: the functions derived from one traced function, each built on first use.

A kernel owns one `Build` for each structure of arguments it was called with. The public call packs
the arguments into one flat array, runs the machine code and unpacks the result; it does nothing
else, so that a small function stays fast. Plain arguments, those of a training loop, are not looked
through in every call: the build that they led to takes the next ones as well.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcompile.compiler.arguments import Arguments
from gradcompile.compiler.fast_path import PLAIN
from gradcompile.compiler.flat import vector_of, with_others
from gradcompile.compiler.options import VALUE, Mode
from gradcompile.graph.trace import Traced
from gradcompile.ir.program import Program

if TYPE_CHECKING:
    from gradcompile.compiler.build import Build
    from gradcompile.compiler.calls import FastCall, FastFlat

NO_BUILD = (None, None)
"""No build, and no fast way to call it."""


class Kernel:
    """One derived function, compiled on first use and open to inspection.

    Calling it takes the arguments of the original function. What it shows (`source`, `program`,
    ...) belongs to the latest new structure of arguments that it was called with; before the first
    call it assumes that every argument is a number.
    """

    def __init__(self, arguments: Arguments, mode: Mode) -> None:
        self._arguments = arguments
        self._mode = mode
        self._builds: dict[Traced, Build] = {}
        self._fast: dict[tuple[type, ...], tuple[Build | None, FastCall]] = {}
        self._fast_flat: dict[Traced | None, FastFlat] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the kernel computes, for the arguments of the original function."""
        if not kwargs:
            _, fast = self._fast.get(tuple(map(type, args)), NO_BUILD)
            if fast is not None and (result := fast(args)) is not None:
                return result
        return self._general_call(args, kwargs)

    def _general_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        leaves, traced, rows = self._arguments.read(args, kwargs)
        if traced is None:
            return _graph(self._arguments, self._mode, args, kwargs)
        build = self._build(traced)
        if self._arguments.options.check_domain:
            from gradcompile.compiler.programs import interpreted

            return build.unpack(interpreted(build.program, leaves))
        result = build.unpack(build.run(np.array(leaves, np.float64), *rows))
        self._remember(build, args, kwargs)
        return result

    def _remember(self, build: "Build", args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Let the build take the next arguments of these types, if they can be plain."""
        types = tuple(map(type, args))
        if kwargs or not PLAIN.issuperset(types) or self._fast.get(types, NO_BUILD)[0] is build:
            return
        names = list(self._arguments.signature.parameters)
        if len(names) == len(types):
            call = build.calls.fast_call(build.run, build.unpack, names, types)
            self._fast[types] = build, call

    def _build(self, traced: Traced | None = None) -> "Build":
        traced = traced or self._arguments.latest()
        if traced not in self._builds:
            self._builds.setdefault(traced, self._new_build(traced))
        return self._builds[traced]

    def _new_build(self, traced: Traced) -> "Build":
        # The passes load when something is compiled.
        from gradcompile.compiler.build import Build
        from gradcompile.compiler.calls import PlainCalls
        from gradcompile.compiler.request import Request
        from gradcompile.compiler.strategies import choose

        arguments = self._arguments
        request = Request(self._mode, traced, arguments.wrt, arguments.options)
        return Build(request, partial(choose, request), PlainCalls(request))

    @property
    def source(self) -> str:
        """The emitted Python, one runnable module."""
        return self._build().source

    @property
    def program(self) -> Program:
        """The linear IR; `print` shows it, one instruction a line."""
        return self._build().program

    @property
    def dispatcher(self) -> Any:
        """Numba's compiled function on the flat float64 array of all inputs."""
        return self._build().dispatcher

    @property
    def python(self) -> "Callable[..., Any]":
        """The emitted function as CPython runs it, on what the dispatcher takes.

        numpy's warnings about inf and nan are off: IEEE-754 says what comes out.
        """
        target = self._build().target
        function, constants = target.function, target.constants
        if not constants:
            return np.errstate(all="ignore")(function)
        return np.errstate(all="ignore")(lambda *given: function(*given, *constants))

    def llvm(self) -> str:
        """The LLVM IR that numba made of the source."""
        dispatcher = _compiled_anew(self._build())
        return str(dispatcher.inspect_llvm(dispatcher.signatures[0]))

    def asm(self) -> str:
        """The assembly code of this machine that LLVM made of it."""
        dispatcher = _compiled_anew(self._build())
        return str(dispatcher.inspect_asm(dispatcher.signatures[0]))

    def flat(self, x: Any, /, **others: Any) -> Any:
        """The kernel on one flat vector, as `scipy.optimize` wants it.

        The vector, and the rows of a batched function, are read as the arguments of calls before,
        the latest new structure of them. So a function has to be called once before, a graph not.

        Args:
            x: the differentiated inputs, in order, as one vector.
            others: the arguments that are not differentiated by, by name.

        Returns:
            A float, a float64 vector, or both, by kernel.

        Raises:
            ValueError: the vector has another length, or the kernel differentiates by rows.
            TypeError: an argument is missing.
        """
        fast = self._fast_flat.get(self._arguments.newest)
        if fast is not None and (result := fast(x, others)) is not None:
            return result
        build = self._build()
        result = self._general_flat(build, x, others)
        self._fast_flat[build.request.traced] = build.fast_flat
        return result

    def _general_flat(self, build: "Build", x: Any, others: dict[str, Any]) -> Any:
        request = build.request
        vector = vector_of(x, request)
        if len(request.slots) != len(request.traced.lowered.names):
            vector = with_others(vector, others, self._arguments, request)
        return build.run(vector)

    def __repr__(self) -> str:
        return f"<kernel {self._arguments.name}.{self._mode.name}>"


def _compiled_anew(build: "Build") -> Any:
    """The machine code with its LLVM IR: numba keeps none of what comes from a cache."""
    from gradcompile.compiler.machine_code import compiled_anew

    return compiled_anew(build.target)


def _graph(
    arguments: Arguments, mode: Mode, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Any:
    """The graph that the user's function builds of Values: so compiled functions compose."""
    if arguments.function is None or mode is not VALUE:
        raise TypeError(f"{arguments.name}.{mode.name}: expected numbers, got Values")
    return arguments.function(*args, **kwargs)
