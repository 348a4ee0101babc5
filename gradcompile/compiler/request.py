"""What is to be built: one kernel for one structure of arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gradcompile.compiler.matrices import gradient_structure, places
from gradcompile.compiler.options import VALUE, Kind, Options
from gradcompile.compiler.signature import signature_of
from gradcompile.emit.layout import emitted_names
from gradcompile.emit.parts import KEPT
from gradcompile.graph.nested import paths
from gradcompile.graph.trace import Traced
from gradcompile.ir.signature import Signature
from gradcompile.support.arrays import IntArray
from gradcompile.support.names import Names, identifier, stem


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be built: one kernel for one structure of arguments.

    Attributes:
        kind: what it computes.
        traced: the program it starts from.
        wrt: the names of the arguments that it differentiates by.
        options: what `compile` was asked for.
        parameters: the names of the arguments that are data, in the order of the user's function.
        directions: the names of those behind them that hold tangents, cotangents, a vector or
            weights.
        nonzeros: the rows and the columns of the entries of a Jacobian or a Hessian that are
            returned; None for all of them.
    """

    kind: Kind
    traced: Traced
    wrt: tuple[str, ...]
    options: Options
    parameters: tuple[str, ...]
    directions: tuple[str, ...] = ()
    nonzeros: tuple[IntArray, IntArray] | None = None

    @cached_property
    def slots(self) -> list[int]:
        """The differentiated inputs, by their indices among the flat inputs."""
        return self._slots(self.wrt)

    @cached_property
    def direction_slots(self) -> list[int]:
        """The inputs that hold a direction, by their indices among the flat inputs."""
        return self._slots(self.directions)

    def _slots(self, names: tuple[str, ...]) -> list[int]:
        places = self.traced.places
        return [slot for name in names for slot in places.get(name, ())]

    @cached_property
    def function_name(self) -> str:
        """The name of the emitted function."""
        name = self._name
        wanted = f"{name}_{self.kind.name}" if self.kind != VALUE else name
        return Names(self._reserved).fresh(wanted)

    @cached_property
    def matrix_shape(self) -> tuple[int, int]:
        """The outputs, or the arguments again, and the arguments of a Jacobian or a Hessian."""
        columns = len(self.slots)
        rows = self.traced.result.size if self.kind.derivative == "jacobian" else columns
        return rows, columns

    @cached_property
    def places(self) -> tuple[IntArray, IntArray]:
        """The row and the column of each number of it, as it is returned."""
        if self.nonzeros is not None:
            return self.nonzeros
        by = gradient_structure({name: self.traced.arguments[name] for name in self.wrt})
        return places(self.traced.result if self.kind.derivative == "jacobian" else by, by)

    @cached_property
    def matrix_order(self) -> tuple[IntArray, IntArray] | None:
        """The same; None if they come row by row."""
        rows, columns = self.places
        in_order = rows * self.matrix_shape[1] + columns
        return None if (in_order == np.arange(len(rows))).all() else (rows, columns)

    @property
    def summary(self) -> str:
        """The comment on the first line of the emitted module."""
        own = [name for name in self.parameters if name not in self.directions]
        arguments = ", ".join(own)
        call = f"{self._name}({arguments})" if len(arguments) < 60 else f"{self._name}(...)"
        summary = f"{call}: {self.kind.says}"
        if self.kind.differentiates and len(self.wrt) < len(own):
            summary += f" by {', '.join(self.wrt)}"
        if self.options.batched:
            reduce = self.options.reduce
            how = f"the {reduce} over" if reduce else "for each of"
            rows = [name for name in self.options.batched if name not in self.directions]
            summary += f", {how} the rows of {', '.join(rows)}"
        return summary

    @cached_property
    def signature(self) -> Signature:
        """What the emitted function takes and returns."""
        traced, options = self.traced, self.options
        return signature_of(
            traced.arguments,
            self.parameters,
            traced.result,
            self.wrt,
            self.kind,
            None if self.nonzeros is None else len(self.nonzeros[0]),
            batched=options.batched,
            by_row=bool(options.batched) and options.reduce is None,
            reserved=self._reserved | {KEPT, self.function_name},
            labels=list(self._own_labels()),
        )

    def _own_labels(self) -> Iterator[str]:
        """For each input what the user calls it; "" where its name is its place in an argument."""
        names = iter(self.traced.lowered.names)
        for argument, tree in self.traced.arguments.items():
            for path, name in zip(paths(tree, argument), names, strict=False):
                yield "" if name == path else name

    def labels(self) -> Iterator[str]:
        """For each input, what its argument is called; the user's label goes before."""
        names = iter(self.traced.lowered.names)
        for argument, tree in self.traced.arguments.items():
            for path, name in zip(paths(tree, argument), names, strict=False):
                is_part = name == path and path != argument
                yield argument if is_part else stem(name)

    @property
    def _reserved(self) -> frozenset[str]:
        return emitted_names(self.traced.lowered.instructions.operations)

    @property
    def _name(self) -> str:
        return identifier(self.traced.lowered.name) or "f"
