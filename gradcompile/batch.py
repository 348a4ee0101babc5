"""Batched functions: traced for one row of data, compiled for any number of rows.

The program is that of one row. Rolling gives it one more dimension, the rows, and the emitted code
goes through them block by block. What is not batched, the parameters, is the same for all rows.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from gradcompile.build import Build, Flat
from gradcompile.compiler import CompiledFunction
from gradcompile.emit_nests import emit_nests
from gradcompile.fingerprint import Fingerprint, apply, fingerprints
from gradcompile.ir import Program
from gradcompile.kernel import Kernel
from gradcompile.nests import ROWS, Rolled
from gradcompile.options import GRAD, VALUE, Mode, Options
from gradcompile.roll import roll
from gradcompile.threads import spread
from gradcompile.trace import Traced, trace_function
from gradcompile.tree import NUMBER, Structure, unflatten
from gradcompile.value import Value

LEAST = 4 * ROWS
"""The fewest rows that are worth a thread."""

Matrices = tuple[np.ndarray[Any, np.dtype[np.float64]], ...]


@dataclass(frozen=True)
class Rows:
    """The rows of one batched argument.

    Attributes:
        structure: of one row.
        matrices: its numbers, a row of data in each row: one matrix for each array it is made of.
        shapes: of these arrays, as they were given.
    """

    structure: Structure
    matrices: Matrices
    shapes: tuple[tuple[int, ...], ...]


def rows_of(argument: Any) -> Rows:
    """The rows of an array, or of a dict of arrays, whose first axis is that of the rows.

    Raises:
        TypeError: it is no array of real numbers.
        ValueError: it has no axis of rows, or elements that are masked.
    """
    if isinstance(argument, dict):
        if not argument:
            raise ValueError("expected arrays, got a dict without any")
        parts = [rows_of(part) for part in argument.values()]
        return Rows(
            Structure(dict, tuple(argument), tuple([part.structure for part in parts])),
            tuple([matrix for part in parts for matrix in part.matrices]),
            tuple([shape for part in parts for shape in part.shapes]),
        )
    if np.ma.is_masked(argument):
        raise ValueError("expected numbers everywhere, got masked elements; fill them with nan")
    try:
        array = np.asarray(argument)
    except ValueError:
        raise ValueError("expected an array, got rows of different lengths") from None
    if array.dtype.kind not in "iuf":
        raise TypeError(f"expected an array of real numbers, got one of dtype {array.dtype}")
    if not array.ndim:
        raise ValueError("expected an array whose first axis is that of the rows, got a number")
    with np.errstate(over="ignore"):  # a long double beyond the range is inf
        numbers = np.require(array, np.float64, "A")
    matrix = numbers if array.ndim == 2 else numbers.reshape(len(array), _size(array.shape[1:]))
    structure = Structure("array", array.shape[1:]) if array.ndim > 1 else NUMBER
    return Rows(structure, (matrix,), (array.shape,))


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=int))


class BatchedFunction(CompiledFunction):
    """A function of one row, compiled for any number of rows; see `compile(batched=...)`.

    Example:
        >>> import gradcompile as gdc
        >>> import numpy as np
        >>> @gdc.compile(batched=("x", "y"), reduce="mean")
        ... def loss(w, x, y):
        ...     return (gdc.dot(w, x) - y) ** 2
        >>> X, y = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([1.0, 2.0])
        >>> value, grads = loss.value_and_grad([1.0, 1.0], X, y)
        >>> value, grads.w
        (14.5, [17.0, 24.0])
    """

    def __init__(
        self,
        function: Callable[..., Any] | None,
        graph: Traced | None,
        name: str,
        options: Options,
    ) -> None:
        super().__init__(function, graph, name, options)
        parameters = self._signature.parameters
        for batched in options.batched:
            if batched not in parameters:
                raise ValueError(
                    f"batched: {batched!r} is not an argument; the arguments are {list(parameters)}"
                )
            if parameters[batched].kind is inspect.Parameter.VAR_POSITIONAL:
                raise ValueError(
                    f"batched: {batched!r} stands for any number of arguments; name each of them"
                )
        # In the order of the arguments, in which their matrices are passed.
        options = replace(options, batched=tuple(x for x in parameters if x in options.batched))
        self.options = options
        self._graph = graph and _batched_graph(graph, options)
        if options.wrt is None and len(parameters) > len(options.batched):
            self.wrt = tuple(name for name in parameters if name not in options.batched)

    def _kernel(self, mode: Mode) -> Kernel:
        return BatchKernel(self, mode)

    def read(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[list[float], Matrices, Traced]:
        """The flat arguments that are not batched, the rows, and the program for both."""
        bound = self._bind(args, kwargs)
        leaves: list[float] = []
        structures: dict[str, Structure] = {}
        found: dict[str, Rows] = {}
        for name in self._ordered(bound.arguments):
            argument = bound.arguments[name]
            if name not in self.options.batched:
                numbers, structures[name] = self._flatten(name, argument)
                if any(isinstance(number, Value) for number in numbers):
                    raise TypeError(
                        f"{self.name}: argument {name!r}: expected numbers, got Values; a batched "
                        "function cannot be a part of a graph"
                    )
                leaves.extend(numbers)
            else:
                found[name] = self._rows(name, argument)
                structures[name] = found[name].structure
        self._require_equal(found)
        matrices = tuple(matrix for rows in found.values() for matrix in rows.matrices)
        return leaves, matrices, self._traced(bound, structures)

    def _ordered(self, names: Mapping[str, Any]) -> list[str]:
        batched = self.options.batched
        return sorted(names, key=lambda name: name in batched)

    def _rows(self, name: str, argument: Any) -> Rows:
        try:
            return rows_of(argument)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{self.name}: argument {name!r}: {error}") from None

    def _require_equal(self, found: Mapping[str, Rows]) -> None:
        shapes = [(name, shape) for name, rows in found.items() for shape in rows.shapes]
        first, shape = shapes[0]
        for name, other in shapes:
            if other[0] != shape[0]:
                raise ValueError(
                    f"{self.name}: batched arguments need equally many rows: {first!r} has "
                    f"{shape[0]} (shape {shape}), {name!r} has {other[0]} (shape {other})"
                )
        if not shape[0] and self.options.reduce == "mean":
            raise ValueError(f"{self.name}: the mean of no rows: {first!r} has shape {shape}")

    def matrices(self, rows: Mapping[str, Any], traced: Traced) -> Matrices:
        """The matrices of all batched arguments, for a program that exists."""
        missing = [name for name in self.options.batched if name not in rows]
        if missing:
            raise TypeError(f"{self.name}: missing arguments: {missing}")
        found = {name: self._rows(name, rows[name]) for name in self._ordered(rows)}
        for name, given in found.items():
            self._require(name, traced.arguments[name], given.structure)
        self._require_equal(found)
        return tuple(matrix for given in found.values() for matrix in given.matrices)

    def _require(self, name: str, expected: Structure, given: Structure) -> None:
        if name not in self.options.batched:
            super()._require(name, expected, given)
        elif given != expected:
            raise ValueError(
                f"{self.name}: argument {name!r}: expected rows of which each is {expected}, "
                f"got {given}"
            )

    def _traced(self, bound: inspect.BoundArguments, structures: dict[str, Structure]) -> Traced:
        if self._graph is not None:
            for name, expected in self._graph.arguments.items():
                self._require(name, expected, structures[name])
            return self._graph
        key = tuple(structures.items())
        if key not in self._traces:
            assert self._function is not None
            try:
                traced = trace_function(self._function, self.name, bound, structures)
            except Exception as error:  # a wrong shape of the rows shows in the user's function
                given = ", ".join(f"{name!r} is {row}" for name, row in structures.items())
                error.add_note(f"{self.name} was traced for one row, in which {given}")
                raise
            self._traces[key] = _with_rows(traced, self.options)
        return self._traces[key]

    def _trace(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[list[float], Traced | None]:
        leaves, _, traced = self.read(args, kwargs)
        return leaves, traced

    def _numbers(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        args, kwargs = super()._numbers()
        one: dict[str, Any] = {name: np.ones(1) for name in self.options.batched}
        pairs = zip(self._signature.parameters, args, strict=False)
        mixed = [one.get(name, number) for name, number in pairs]
        return tuple(mixed), {name: one.get(name, x) for name, x in kwargs.items()}


def _arrays_in(row: Structure) -> list[Structure]:
    """The structures of the rows of the arrays that a batched argument is made of."""
    return [x for part in row.parts for x in _arrays_in(part)] if row.kind is dict else [row]


def _unflatten_rows(structure: Structure, components: Sequence[Flat]) -> Any:
    """The nested result of `structure`, each leaf an array with one number for each row."""
    supply = iter(components)

    def build(node: Structure) -> Any:
        if node.kind == "leaf":
            return next(supply)
        if node.kind == "array":
            found = [next(supply) for _ in range(node.size)]
            rows = np.stack(found, axis=-1) if found else np.empty((0, 0))
            return rows.reshape(len(rows), *node.keys)
        parts = [build(part) for part in node.parts]
        if node.kind is dict:
            return dict(zip(node.keys, parts, strict=True))
        return node.kind(*parts) if node.keys else node.kind(parts)

    return build(structure)


def _with_rows(traced: Traced, options: Options) -> Traced:
    rows = sum(traced.arguments[name].size for name in options.batched)
    if not rows:
        names = ", ".join(map(repr, options.batched))
        raise ValueError(f"{traced.program.name}: no number is in a row of the arguments {names}")
    return replace(traced, program=replace(traced.program, rows=rows))


def _batched_graph(graph: Traced, options: Options) -> Traced:
    """The graph with its batched arguments last, each as the rows of an array."""
    inputs = iter(graph.program.inputs)
    found = {name: [next(inputs) for _ in range(s.size)] for name, s in graph.arguments.items()}
    names = sorted(graph.arguments, key=lambda name: name in options.batched)
    program = replace(graph.program, inputs=tuple(var for name in names for var in found[name]))
    arguments = {name: graph.arguments[name] for name in names}
    for name in options.batched:
        arguments[name] = _row(name, arguments[name])
    return _with_rows(replace(graph, program=program, arguments=arguments), options)


def _row(name: str, structure: Structure) -> Structure:
    """A row as arrays hold it: lists of numbers, also of equally long lists, are an array."""
    if structure.kind is dict:
        return replace(structure, parts=tuple(_row(name, part) for part in structure.parts))
    if structure.kind in ("leaf", "array"):
        return structure
    parts = {_row(name, part) for part in structure.parts}
    shape = () if parts == {NUMBER} else next(iter(parts)).keys if parts else ()
    if len(parts) > 1 or any(part.kind is dict for part in parts):
        raise ValueError(f"batched: {name!r} is {structure}, which is no row of an array")
    return Structure("array", (len(structure.parts), *shape))


class BatchKernel(Kernel):
    """A kernel of a batched function."""

    _owner: BatchedFunction

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the kernel computes, for the arguments of the original function, all rows."""
        leaves, matrices, traced = self._owner.read(args, kwargs)
        build = self._batch_build(traced)
        return build.unpack(build.run(np.array(leaves, np.float64), matrices))

    def _batch_build(self, traced: Traced | None = None) -> "BatchBuild":
        build = self._build(traced)
        assert isinstance(build, BatchBuild)
        return build

    def _new_build(self, traced: Traced) -> "BatchBuild":
        return BatchBuild(self._mode, traced, self._owner.wrt, self._owner.options)

    def flat(self, x: Any, /, **others: Any) -> Any:
        """The kernel on one flat vector of the differentiated inputs; the rest by name.

        What came of the rows before tells how the vector is to be read, so a function, unlike a
        graph, has to be called once before.

        Raises:
            ValueError: the vector has another length, or the kernel differentiates by rows.
            TypeError: an argument is missing.
        """
        build = self._batch_build()
        owner = self._owner
        if any(name in owner.options.batched for name in owner.wrt):
            raise ValueError(f"flat: {owner.name} is differentiated by its rows, {list(owner.wrt)}")
        vector = self._vector(build, x)
        rows = {name: others.pop(name) for name in owner.options.batched if name in others}
        matrices = owner.matrices(rows, build.traced)
        if len(build.slots) != build.traced.program.given:
            vector = self._with_others(build, vector, others)
        elif others:
            raise TypeError(f"flat: unexpected arguments {list(others)}")
        return build.run(vector, matrices)


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
        given = self.traced.program.given
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
        totals: set[int] = set()
        if self.options.reduce is not None:
            totals = {k for k in range(len(outputs)) if self._sums(k)}
        slots = {first + k: found for k, found in enumerate(self._gradients)}
        program = replace(program, outputs=tuple(outputs))
        return roll(program, self.options.strict, list(self._labels()), slots, totals)

    def _is_total(self, number: int) -> bool:
        """Is an array of the gradient summed up over the rows?"""
        given = self.traced.program.given
        return all(slot < given for slot in self._gradients[number])

    def _emit(self, rolled: Rolled) -> str:
        mean = self.options.reduce == "mean"
        name = self.function_name
        return emit_nests(rolled, name, self._summary, self._array, mean=mean)

    def run(self, inputs: Flat, matrices: Matrices = ()) -> Any:
        """The flat result by machine code, the rows spread over threads if that was asked for."""
        machine, constants = self.machine, self.constants
        rows = len(matrices[0])
        if self.options.threads == 1 or rows < 2 * LEAST:
            return machine(inputs, matrices, *constants)

        def part(start: int, stop: int) -> Any:
            some = tuple([matrix[start:stop] for matrix in matrices])
            return stop - start, machine(inputs, some, *constants)

        return self._joined(spread(part, rows, self.options.threads, LEAST), rows)

    def _joined(self, parts: Sequence[tuple[int, Any]], rows: int) -> Any:
        """The result for all rows from those for some rows each; the same for the same parts."""
        if len(parts) == 1:
            return parts[0][1]
        single = not isinstance(parts[0][1], tuple)
        columns = zip(*([result] if single else result for _, result in parts), strict=True)
        counts = [count for count, _ in parts]
        joined = [
            self._total(found, counts, rows)
            if self._sums(number)
            else self._rows(found, counts, rows)
            for number, found in enumerate(columns)
        ]
        return joined[0] if single else tuple(joined)

    def _sums(self, number: int) -> bool:
        """Is a result summed up over the rows?"""
        first = int(self.mode.keeps_value)
        if self.options.reduce is None:
            return False
        return number < first or self._is_total(number - first)

    def _total(self, found: Sequence[Any], counts: Sequence[int], rows: int) -> Any:
        if self.options.reduce == "mean":
            found = [x * (count / rows) for x, count in zip(found, counts, strict=True)]
        return sum(found[1:], found[0])

    def _rows(self, found: Sequence[Flat], counts: Sequence[int], rows: int) -> Flat:
        if self.options.reduce == "mean":
            found = [x * (count / rows) for x, count in zip(found, counts, strict=True)]
        return np.concatenate(found, axis=-1)

    def unpack(self, result: Any) -> Any:
        """The kernel's result in the structure that the user knows."""
        if self.mode is GRAD:
            return self._by_argument([result] if len(self._gradients) == 1 else result)
        if self.mode is VALUE:
            return self._value(result)
        value, *arrays = result
        return self._value(value), self._by_argument(arrays)

    def _value(self, result: Any) -> Any:
        if self.traced.result == NUMBER:
            return result
        if self.options.reduce is None:
            return _unflatten_rows(self.traced.result, result)
        return unflatten(self.traced.result, result.tolist())

    def _by_argument(self, arrays: Sequence[Flat]) -> Any:
        components = {
            slot: component
            for slots, array in zip(self._gradients, arrays, strict=True)
            for slot, component in zip(slots, array, strict=True)
        }
        parts = []
        starts = dict(zip(self.traced.arguments, self._starts(), strict=True))
        for name in self.wrt:
            argument, start = self.traced.arguments[name], starts[name]
            found = [components[slot] for slot in range(start, start + argument.size)]
            by_row = self.options.reduce is None or name in self.options.batched
            parts.append(
                _unflatten_rows(argument, found)
                if by_row
                else unflatten(argument, [float(x) for x in found])
            )
        return self.gradient_type(*parts)

    def _starts(self) -> Iterator[int]:
        start = 0
        for argument in self.traced.arguments.values():
            yield start
            start += argument.size

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
        return [
            s.size for name in arguments if name in batched for s in _arrays_in(arguments[name])
        ]
