"""Kernels: the functions derived from one traced function, each built on first use.

A kernel owns, for each structure of arguments it was called with, one `Build`: program, source,
machine code. The public call packs the arguments into one flat array, runs the machine code and
unpacks the result; it does nothing else, so that a small function stays fast.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcompile import cache
from gradcompile.collector import collector_paused
from gradcompile.emit import emit, emitted_names
from gradcompile.interpret import interpret, require_finite
from gradcompile.ir import Program
from gradcompile.names import Names, identifier
from gradcompile.passes import run_passes
from gradcompile.reverse import reverse
from gradcompile.trace import Traced
from gradcompile.tree import NUMBER, unflatten

if TYPE_CHECKING:
    from gradcompile.compiler import CompiledFunction

Flat = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Mode:
    """What a kernel computes: the value, the gradient or both."""

    name: str
    says: str
    differentiates: bool
    keeps_value: bool


VALUE = Mode("value", "the value", differentiates=False, keeps_value=True)
GRAD = Mode("grad", "the gradient", differentiates=True, keeps_value=False)
VALUE_AND_GRAD = Mode(
    "value_and_grad", "the value and the gradient", differentiates=True, keeps_value=True
)


@dataclass
class Build:
    """One kernel for one structure of arguments: program, source, machine code."""

    mode: Mode
    traced: Traced
    wrt: tuple[str, ...]
    use_cache: bool

    @cached_property
    def slots(self) -> list[int]:
        """The places of the differentiated inputs among the flat inputs."""
        slots: list[int] = []
        start = 0
        for name, structure in self.traced.arguments.items():
            if name in self.wrt:
                slots.extend(range(start, start + structure.size))
            start += structure.size
        return slots

    @cached_property
    @collector_paused()
    def program(self) -> Program:
        """The linear IR after every pass."""
        program = run_passes(self.traced.program)
        if not self.mode.differentiates:
            if self.traced.result != NUMBER:
                flat = tuple(program.flat_outputs)
                return replace(program, outputs=(flat,))
            return program
        self._require_scalar()
        return run_passes(reverse(program, self.slots, self.mode.keeps_value))

    def _require_scalar(self) -> None:
        if self.traced.result != NUMBER:
            raise TypeError(
                f"{self.mode.name}: the gradient is that of one number, but "
                f"{self.traced.program.name} returns {self.traced.result}"
            )

    @cached_property
    def function_name(self) -> str:
        """The name of the emitted function."""
        name = identifier(self.traced.program.name) or "f"
        wanted = f"{name}_{self.mode.name}" if self.mode is not VALUE else name
        return Names(emitted_names()).fresh(wanted)

    @cached_property
    @collector_paused()
    def source(self) -> str:
        """The emitted module."""
        arguments = ", ".join(self.traced.arguments)
        name = identifier(self.traced.program.name) or "f"
        call = f"{name}({arguments})" if len(arguments) < 60 else f"{name}(...)"
        says = self.mode.says
        if self.mode.differentiates and len(self.wrt) < len(self.traced.arguments):
            says += f" by {', '.join(self.wrt)}"
        array = "gradient" if self.mode.differentiates else "values"
        return emit(self.program, self.function_name, f"{call}: {says}", array)

    @cached_property
    def function(self) -> Callable[[Flat], Any]:
        """The emitted function as CPython runs it."""
        module = cache.load(self.source, self.function_name, self.use_cache)
        function: Callable[[Flat], Any] = getattr(module, self.function_name)
        return function

    @cached_property
    def dispatcher(self) -> Any:
        """The machine code, as a numba dispatcher."""
        from gradcompile.jit import jit  # numba loads on first use

        return jit(self.function, self.use_cache)

    @cached_property
    def inspectable(self) -> Any:
        """The machine code compiled anew: numba keeps no LLVM IR of what comes from a cache."""
        from gradcompile.jit import jit

        return jit(self.function, use_cache=False)

    @cached_property
    def gradient_type(self) -> type[Any]:
        """The namedtuple of gradients, one field an argument."""
        # A field may not begin with an underscore; `rename` numbers what cannot be mended.
        fields = [name if name.lstrip("_") in self.wrt else name.lstrip("_") for name in self.wrt]
        return namedtuple("Gradient", fields, rename=True)

    def unpack(self, result: Any) -> Any:
        """The kernel's flat result in the structure that the user knows."""
        if self.mode is VALUE:
            if self.traced.result == NUMBER:
                return result
            return unflatten(self.traced.result, result.tolist())
        if self.mode is GRAD:
            return self._gradient(result)
        value, gradient = result
        return value, self._gradient(gradient)

    def _gradient(self, flat: Flat) -> Any:
        parts = []
        start = 0
        for name in self.wrt:
            structure = self.traced.arguments[name]
            part = flat[start : start + structure.size]
            is_array = structure.kind == "array"
            parts.append(
                part.reshape(structure.keys) if is_array else unflatten(structure, part.tolist())
            )
            start += structure.size
        return self.gradient_type(*parts)

    def interpret(self, inputs: Sequence[float]) -> Any:
        """The flat result by the interpreter; an error at the first nan or inf.

        Raises:
            FloatingPointError: an operation made nan or inf from finite operands.
        """
        outputs = interpret(self.program, inputs, require_finite)
        flat = [np.array(x) if isinstance(x, list) else x for x in outputs]
        return flat[0] if len(flat) == 1 else tuple(flat)

    def fast_call(self) -> Callable[[tuple[Any, ...]], Any] | None:
        """A function of the arguments' tuple, if all of them are numbers; else None."""
        if any(s != NUMBER for s in (*self.traced.arguments.values(), self.traced.result)):
            return None
        run, array, float64, gradient = (
            self.dispatcher, np.array, np.float64, self.gradient_type,
        )  # fmt: skip
        if self.mode is VALUE:
            return lambda args: run(array(args, float64))
        if self.mode is GRAD:
            return lambda args: gradient(*run(array(args, float64)).tolist())

        def value_and_grad(args: tuple[Any, ...]) -> Any:
            value, flat = run(array(args, float64))
            return value, gradient(*flat.tolist())

        return value_and_grad


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
        self._fast: dict[tuple[type, ...], Callable[[tuple[Any, ...]], Any]] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the kernel computes, for the arguments of the original function."""
        if not kwargs:
            fast = self._fast.get(tuple(map(type, args)))
            if fast is not None:
                return fast(args)
        return self._general_call(args, kwargs)

    def _general_call(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        leaves, traced = self._owner._trace(args, kwargs)
        if traced is None:
            return self._owner._on_values(self._mode, args, kwargs)
        build = self._build(traced)
        if self._owner.check_domain:
            return build.unpack(build.interpret(leaves))
        types = tuple(map(type, args))
        if not kwargs and len(args) == len(traced.arguments) and set(types) <= {float, np.float64}:
            fast = build.fast_call()
            if fast is not None:
                self._fast[types] = fast
        return build.unpack(build.dispatcher(np.array(leaves, np.float64)))

    def _build(self, traced: Traced | None = None) -> Build:
        traced = traced or self._owner._latest()
        if traced not in self._builds:
            owner = self._owner
            self._builds[traced] = Build(self._mode, traced, owner.wrt, owner.use_cache)
        return self._builds[traced]

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
    def python(self) -> Callable[[Flat], Any]:
        """The emitted function as CPython runs it, on the flat array of all inputs.

        numpy's warnings about inf and nan are off: IEEE-754 says what comes out.
        """
        return np.errstate(all="ignore")(self._build().function)

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

        Args:
            x: the differentiated inputs, in order, as one vector.
            others: the arguments that are not differentiated by, by name.

        Returns:
            A float, a float64 vector, or both, by kernel.

        Raises:
            ValueError: the vector has another length.
            TypeError: an argument is missing.
        """
        build = self._build()
        vector = np.ascontiguousarray(x, dtype=np.float64)
        if vector.shape != (len(build.slots),):
            expected = (len(build.slots),)
            raise ValueError(f"flat: expected a vector of shape {expected}, got {vector.shape}")
        if len(build.slots) != len(build.traced.program.inputs):
            vector = self._with_others(build, vector, others)
        return build.dispatcher(vector)

    def _with_others(self, build: Build, vector: Flat, others: Mapping[str, Any]) -> Flat:
        needed = [name for name in build.traced.arguments if name not in build.wrt]
        if sorted(others) != sorted(needed):
            raise TypeError(f"flat: expected the arguments {needed}, got {list(others)}")
        inputs = np.empty(len(build.traced.program.inputs))
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
