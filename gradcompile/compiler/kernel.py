"""Kernels: the functions derived from one traced function, each built on first use.

A kernel owns one `Build` for each structure of arguments it was called with. The public call packs
the arguments into one flat array, runs the machine code and unpacks the result; it does nothing
else, so that a small function stays fast. Plain arguments, those of a training loop, are not looked
through in every call: the build that they led to takes the next ones as well.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcompile.compiler.fast_path import PLAIN
from gradcompile.compiler.options import Mode
from gradcompile.graph.trace import Traced
from gradcompile.ir.program import Program
from gradcompile.support.arrays import FloatArray

if TYPE_CHECKING:
    from gradcompile.compiler.build import Build, FastCall, FastFlat
    from gradcompile.compiler.function import CompiledFunction

NONE = (None, None)
"""No build, and no fast way to call it."""


class Kernel:
    """One derived function, compiled on first use and open to inspection.

    Calling it takes the arguments of the original function. What it shows (`source`, `program`,
    ...) belongs to the latest new structure of arguments that it was called with; before the first
    call it assumes that every argument is a number.
    """

    def __init__(self, owner: "CompiledFunction", mode: Mode) -> None:
        self._owner = owner
        self._mode = mode
        self._builds: dict[Traced, Build] = {}
        self._fast: dict[tuple[type, ...], tuple[Build | None, FastCall]] = {}
        self._fast_flat: dict[Traced | None, FastFlat] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the kernel computes, for the arguments of the original function."""
        if not kwargs:
            _, fast = self._fast.get(tuple(map(type, args)), NONE)
            if fast is not None and (result := fast(args)) is not None:
                return result
        return self._general_call(args, kwargs)

    def _general_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        leaves, traced = self._owner._trace(args, kwargs)
        if traced is None:
            return self._owner._on_values(self._mode, args, kwargs)
        build = self._build(traced)
        if self._owner.options.check_domain:
            return build.unpack(build.interpret(leaves))
        result = build.unpack(build.run(np.array(leaves, np.float64)))
        self._remember(build, args, kwargs)
        return result

    def _remember(self, build: "Build", args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Let the build take the next arguments of these types, if they can be plain."""
        types = tuple(map(type, args))
        if kwargs or not PLAIN.issuperset(types) or self._fast.get(types, NONE)[0] is build:
            return
        names = list(self._owner._signature.parameters)
        if len(names) == len(types):
            self._fast[types] = build, build.fast_call(names, types)

    def _build(self, traced: Traced | None = None) -> "Build":
        traced = traced or self._owner._latest()
        if traced not in self._builds:
            self._builds[traced] = self._new_build(traced)
        return self._builds[traced]

    def _new_build(self, traced: Traced) -> "Build":
        from gradcompile.compiler.build import Build  # the passes load when something is compiled

        return Build(self._mode, traced, self._owner.wrt, self._owner.options)

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
        build = self._build()
        if not build.constants:
            return np.errstate(all="ignore")(build.function)
        return np.errstate(all="ignore")(lambda *given: build.function(*given, *build.constants))

    def llvm(self) -> str:
        """The LLVM IR that numba made of the source."""
        dispatcher = self._build().inspectable
        return str(dispatcher.inspect_llvm(dispatcher.signatures[0]))

    def asm(self) -> str:
        """The assembly code of this machine that LLVM made of it."""
        dispatcher = self._build().inspectable
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
        fast = self._fast_flat.get(self._owner._newest)
        if fast is not None and (result := fast(x, others)) is not None:
            return result
        build = self._build()
        result = self._general_flat(build, x, others)
        self._fast_flat[build.traced] = build.fast_flat
        return result

    def _general_flat(self, build: "Build", x: Any, others: dict[str, Any]) -> Any:
        vector = self._vector(build, x)
        if len(build.slots) != len(build.traced.lowered.names):
            vector = self._with_others(build, vector, others)
        return build.run(vector)

    def _vector(self, build: "Build", x: Any) -> "FloatArray":
        vector = np.require(np.ascontiguousarray(x, dtype=np.float64), requirements="A")
        if vector.shape != (len(build.slots),):
            expected = (len(build.slots),)
            raise ValueError(f"flat: expected a vector of shape {expected}, got {vector.shape}")
        return vector

    def _with_others(
        self, build: "Build", vector: "FloatArray", others: Mapping[str, Any]
    ) -> "FloatArray":
        batched = self._owner.options.batched
        needed = [x for x in build.traced.arguments if x not in build.wrt and x not in batched]
        if sorted(others) != sorted(needed):
            raise TypeError(f"flat: expected the arguments {needed}, got {list(others)}")
        inputs = np.empty(build.traced.lowered.given)
        inputs[build.slots] = vector
        rest = np.ones(len(inputs), bool)
        rest[build.slots] = False
        leaves: list[float] = []
        for name in needed:
            leaves.extend(self._owner._leaves(name, others[name], build.traced.arguments[name]))
        inputs[rest] = leaves
        return inputs

    def __repr__(self) -> str:
        return f"<kernel {self._owner.name}.{self._mode.name}>"
