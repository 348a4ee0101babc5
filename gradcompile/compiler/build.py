"""A build: one kernel for one structure of arguments, from its program to its machine code.

Small programs stay straight-line. In a larger one the constants that are data become inputs, and
then its structure decides all that follows: what is emitted for it is kept under a digest of the
structure, so that a graph of the same structure over other data is not compiled again.
"""

from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np

from gradcompile.autodiff.reverse import reverse
from gradcompile.compiler import code as structure
from gradcompile.compiler.build_report import BuildReport
from gradcompile.compiler.code import EmittedCode
from gradcompile.compiler.fast_path import is_vector, vector_reader
from gradcompile.compiler.options import GRAD, VALUE, Mode, Options
from gradcompile.emit.layout import emitted_names
from gradcompile.emit.nests import emit_nests
from gradcompile.emit.straight import emit
from gradcompile.graph.nested import NUMBER, paths, unflatten
from gradcompile.graph.trace import Traced
from gradcompile.ir.interpret import interpret, require_finite
from gradcompile.ir.nests import Rolled
from gradcompile.ir.packed import Lowered
from gradcompile.ir.program import Program
from gradcompile.passes import run_passes
from gradcompile.passes.capture import capture
from gradcompile.roll import is_regular, roll
from gradcompile.support import files
from gradcompile.support.arrays import FloatArray
from gradcompile.support.collector import collector_paused
from gradcompile.support.names import Names, identifier, stem
from gradcompile.support.timing import Stages
from gradcompile.verify.fingerprint import apply, fingerprints

SMALL = 400
"""A program of at most so many instructions before differentiation stays straight-line."""

FastCall = Callable[[tuple[Any, ...]], Any] | None
"""The call of a kernel, of the tuple of its arguments; it gives None if they are not plain."""

FastFlat = Callable[[Any, Mapping[str, Any]], Any] | None
"""The same of `Kernel.flat`: of the vector, and the rest by name."""


_machines: dict[tuple[Callable[..., Any], int, bool], Any] = {}
"""The machine code of functions made of loops: graphs of one structure share both."""


@dataclass
class Build:
    """One kernel for one structure of arguments: program, source, machine code.

    Attributes:
        mode: what it computes.
        traced: the program it starts from.
        wrt: the names of the arguments that it differentiates by.
        options: what `compile` was asked for.
        stages: where the time went.
    """

    mode: Mode
    traced: Traced
    wrt: tuple[str, ...]
    options: Options
    stages: Stages = field(default_factory=Stages)

    matrices = 0
    """How many matrices of rows the emitted function takes."""

    def __post_init__(self) -> None:
        self.stages.seconds.update(self.traced.seconds)
        self.stages.progress = self.options.progress and len(self.traced.lowered) > SMALL

    @cached_property
    def slots(self) -> list[int]:
        """The places of the differentiated inputs among the flat inputs."""
        places = self.traced.places
        return [place for name in places if name in self.wrt for place in places[name]]

    # --- programs ------------------------------------------------------------------------------

    @cached_property
    @collector_paused()
    def _capture(self) -> tuple[Lowered, int]:
        """The program before differentiation, with its data as inputs; and how varied it is."""
        with self.stages("capture"):
            return capture(self.traced.lowered)

    @property
    def _captured(self) -> Lowered:
        return self._capture[0]

    @cached_property
    @collector_paused()
    def _key(self) -> str:
        """The digest of the structure."""
        captured = self._captured
        with self.stages("key"):
            given = (captured.given, self.matrices)
            settings = (self.mode.name, self.slots, self._summary, self.options.strict, given)
            return structure.key(captured, repr(settings))

    @cached_property
    @collector_paused()
    def has_loops(self) -> bool:
        """Are loops to be found in the program?"""
        wanted = self.options.roll
        if wanted != "auto":
            return bool(wanted)
        if len(self.traced.lowered) <= SMALL:
            return False
        if self._known is not None:
            return True
        captured, kinds = self._capture
        with self.stages("roll"):
            return is_regular(captured.program, kinds)

    @cached_property
    def _known(self) -> EmittedCode | None:
        return structure.load(self._key, self.function_name, self.options.cache)

    @cached_property
    @collector_paused()
    def program(self) -> Program:
        """The linear IR after every pass, before loops are found in it."""
        lowered = self._captured if self.has_loops else self.traced.lowered
        with self.stages("lower"):
            program = lowered.program
        program = run_passes(program, timed=self.stages)
        if not self.mode.differentiates:
            if self.traced.result != NUMBER:
                flat = tuple(program.flat_outputs)
                return replace(program, outputs=(flat,))
            return program
        self._require_scalar()
        with self.stages("reverse"):
            program = reverse(program, self.slots, self.mode.keeps_value)
        return run_passes(program, timed=self.stages)

    def _require_scalar(self) -> None:
        if self.traced.result != NUMBER:
            raise TypeError(
                f"{self.mode.name}: the gradient is that of one number, but "
                f"{self.traced.lowered.name} returns {self.traced.result}"
            )

    @cached_property
    def function_name(self) -> str:
        """The name of the emitted function."""
        name = identifier(self.traced.lowered.name) or "f"
        wanted = f"{name}_{self.mode.name}" if self.mode is not VALUE else name
        return Names(emitted_names()).fresh(wanted)

    # --- code ----------------------------------------------------------------------------------

    @cached_property
    def source(self) -> str:
        """The emitted module."""
        return self.code.source

    @cached_property
    @collector_paused()
    def code(self) -> EmittedCode:
        """The emitted module, and what it needs beside the inputs."""
        if not self.has_loops:
            return self._straight()
        if self._known is not None:
            return self._known
        code = self._loops()
        structure.save(self._key, self.function_name, code, self.options.cache)
        return code

    def _straight(self) -> EmittedCode:
        program = self.program
        with self.stages("emit"):
            return EmittedCode(emit(program, self.function_name, self._summary, self._array))

    def _loops(self) -> EmittedCode:
        program = self.program
        with self.stages("roll"):
            rolled = self._roll(program)
        with self.stages("emit"):
            source = self._emit(rolled)
        return EmittedCode(source, rolled.order, rolled.tables, rolled.summary)

    def _roll(self, program: Program) -> Rolled:
        slots = {int(self.mode.keeps_value): self.slots} if self.mode.differentiates else {}
        return roll(program, self.options.strict, list(self._labels()), slots)

    def _emit(self, rolled: Rolled) -> str:
        return emit_nests(rolled, self.function_name, self._summary, self._array)

    def _labels(self) -> Iterator[str]:
        """For each input, what its argument is called; the user's label goes before."""
        names = iter(self.traced.lowered.names)
        for argument, tree in self.traced.arguments.items():
            for path, name in zip(paths(tree, argument), names, strict=False):
                is_part = name == path and path != argument
                yield argument if is_part else stem(name)

    @property
    def _array(self) -> str:
        return "gradient" if self.mode.differentiates else "values"

    @property
    def _summary(self) -> str:
        arguments = ", ".join(self.traced.arguments)
        name = identifier(self.traced.lowered.name) or "f"
        call = f"{name}({arguments})" if len(arguments) < 60 else f"{name}(...)"
        says = self.mode.says
        if self.mode.differentiates and len(self.wrt) < len(self.traced.arguments):
            says += f" by {', '.join(self.wrt)}"
        return f"{call}: {says}"

    @cached_property
    def straight_source(self) -> str:
        """The emitted module without loops, in one function: what verification reads."""
        program = self.program
        return emit(program, self.function_name, self._summary, self._array, limit=len(program) + 1)

    def differing(self) -> set[int]:
        """The places of the flat results that loops compute otherwise than the text without."""
        program = self.program
        given = np.array([apply("input", k) for k in range(len(program.inputs))], object)
        expected = fingerprints(self.straight_source, self.function_name, given)
        count = len(given) - len(program.data)
        constants = self.code.arguments(given[count:])
        found = fingerprints(self.source, self.function_name, given[:count], *constants)
        pairs = zip(chain(*expected), chain(*found), strict=True)
        return {place for place, (a, b) in enumerate(pairs) if a != b}

    @cached_property
    def constants(self) -> tuple[FloatArray, ...]:
        """What the emitted function takes after the inputs: captured data, and tables."""
        if not self.has_loops:
            return ()
        constants = self.code.arguments(np.array(self._captured.data))
        for array in constants:
            # Only so may numba take them for constants, when other machine code calls this one.
            array.flags.writeable = False
        return constants

    @cached_property
    def function(self) -> Callable[..., Any]:
        """The emitted function as CPython runs it: of the inputs and the constants."""
        module = files.load(self.source, self.function_name, self.options.cache)
        function: Callable[..., Any] = getattr(module, self.function_name)
        return function

    @cached_property
    @collector_paused()
    def machine(self) -> Any:
        """The machine code: a numba dispatcher of the inputs and the constants."""
        function, constants = self.function, self.constants
        with self.stages("numba"):
            if not self.has_loops:
                return self._jit(function, constants, self.options.cache)
            key = (function, self.matrices, self.options.strict)
            if key not in _machines:
                _machines[key] = self._jit(function, constants, self.options.cache)
            return _machines[key]

    def _jit(
        self, function: Callable[..., Any], constants: Sequence[FloatArray], use_cache: bool
    ) -> Any:
        from gradcompile.jit import jit  # numba loads on first use

        return jit(
            function,
            constants,
            loops=self.has_loops,
            strict=self.options.strict,
            use_cache=use_cache,
            matrices=self.matrices,
        )

    @cached_property
    def dispatcher(self) -> Any:
        """The machine code as a numba dispatcher of the inputs alone."""
        from gradcompile.jit import bind

        if not self.constants:
            return self.machine
        return bind(self.machine, self.constants, self.matrices)

    @cached_property
    def inspectable(self) -> Any:
        """The machine code compiled anew: numba keeps no LLVM IR of what comes from a cache."""
        return self._jit(self.function, self.constants, use_cache=False)

    def report(self) -> BuildReport:
        """Where the time went, compiling first what is not compiled yet."""
        self.machine  # noqa: B018
        known = "program" in vars(self)
        rules = self.program.notes if known or not self.has_loops else ()
        lines = len(self.source.splitlines())
        return BuildReport(dict(self.stages.seconds), self.code.rolled, lines, rules)

    @cached_property
    def run(self) -> Callable[..., Any]:
        """The flat result by machine code, of contiguous float64 inputs: it looks at no types."""
        return self._entry()

    def _entry(self) -> Callable[..., Any]:
        """The machine code as a function of what comes before the constants."""
        from gradcompile.jit import entry

        machine, constants = entry(self.machine), self.constants
        return (lambda *given: machine(*given, *constants)) if constants else machine

    @cached_property
    def gradient_type(self) -> type[Any]:
        """The namedtuple of gradients, one field an argument."""
        # A field may not begin with an underscore; `rename` numbers what cannot be mended.
        fields = [name if name.lstrip("_") in self.wrt else name.lstrip("_") for name in self.wrt]
        return namedtuple("Gradient", fields, rename=True)

    @cached_property
    def unpack(self) -> Callable[[Any], Any]:
        """What gives the kernel's flat result the structure that the user knows."""
        if self.mode is VALUE:
            return (lambda result: result) if self.traced.result == NUMBER else self._value
        gradient, is_single = self._gradient, len(self._gradients) == 1
        if self.mode is GRAD:
            return gradient if is_single else lambda arrays: gradient(*arrays)

        def value_and_gradient(result: Any) -> Any:
            value, array = result
            return value, gradient(array)

        def value_and_gradients(result: Any) -> Any:
            value, *arrays = result
            return value, gradient(*arrays)

        return value_and_gradient if is_single else value_and_gradients

    def _value(self, result: FloatArray) -> Any:
        """The nested value in the structure that the function returned."""
        return unflatten(self.traced.result, result.tolist())

    @property
    def _gradients(self) -> list[list[int]]:
        """The slots of the components of each array that a gradient consists of."""
        return [self.slots]

    @cached_property
    def _gradient(self) -> Callable[..., Any]:
        """What makes the namedtuple of the arrays that a gradient consists of."""
        make = self.gradient_type._make
        parts = [(*self._place(name), self._reader(name)) for name in self.wrt]
        # Numbers, and a single argument, are so frequent that they go without any detour.
        if parts and all(read is _number for *_, read in parts):
            return lambda numbers: make(numbers.tolist())
        if len(parts) == 1:
            ((*_, whole),) = parts
            return lambda array: make((whole(array),))
        return lambda *arrays: make([read(arrays[k][place]) for k, place, read in parts])

    def _place(self, name: str) -> tuple[int, slice]:
        """Where the gradient by an argument is: in which array, and there."""
        place = self.traced.places[name]
        for number, slots in enumerate(self._gradients):
            if place.start in slots:
                start = slots.index(place.start)
                return number, slice(start, start + len(place))
        return 0, slice(0)  # by nothing

    def _reader(self, name: str) -> Callable[[FloatArray], Any]:
        """What gives the components by an argument its structure."""
        argument = self.traced.arguments[name]
        if argument == NUMBER:
            return _number
        if argument.kind == "array":
            return lambda part: part.reshape(argument.keys)
        return lambda part: unflatten(argument, part.tolist())

    def interpret(self, inputs: Sequence[float]) -> Any:
        """The flat result by the interpreter; an error at the first nan or inf.

        Raises:
            FloatingPointError: an operation made nan or inf from finite operands.
        """
        outputs = interpret(self.program, inputs, require_finite)
        flat = [np.array(x) if isinstance(x, list) else x for x in outputs]
        return flat[0] if len(flat) == 1 else tuple(flat)

    def fast_call(self, names: Sequence[str], types: Sequence[type]) -> FastCall:
        """The call of arguments with these names and types; None if they cannot be plain."""
        read = vector_reader([self.traced.arguments[name] for name in names], types)
        if read is None:
            return None
        run, unpack = self.run, self.unpack

        def call(args: tuple[Any, ...]) -> Any:
            vector = read(args)
            return None if vector is None else unpack(run(vector))

        return call

    @cached_property
    def fast_flat(self) -> FastFlat:
        """The call of `flat`; None if it takes arguments by name."""
        if len(self.slots) < len(self.traced.lowered.names):
            return None
        run, shape = self.run, (len(self.slots),)
        return lambda x, others: None if others or not is_vector(x, shape) else run(x)


def _number(part: FloatArray) -> float:
    return part.item()
