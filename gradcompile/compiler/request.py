"""What is to be built: one kernel for one structure of arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gradcompile.compiler.options import VALUE, Mode, Options
from gradcompile.compiler.signature import signature_of
from gradcompile.emit.layout import emitted_names
from gradcompile.emit.parts import KEPT
from gradcompile.graph.nested import paths
from gradcompile.graph.trace import Traced
from gradcompile.ir.signature import Signature
from gradcompile.support.names import Names, identifier, stem


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be built: one kernel for one structure of arguments.

    Attributes:
        mode: what it computes.
        traced: the program it starts from.
        wrt: the names of the arguments that it differentiates by.
        options: what `compile` was asked for.
        parameters: the names of the arguments that are data, in the order of the user's function.
    """

    mode: Mode
    traced: Traced
    wrt: tuple[str, ...]
    options: Options
    parameters: tuple[str, ...]

    @cached_property
    def slots(self) -> list[int]:
        """The differentiated inputs, by their indices among the flat inputs."""
        places = self.traced.places
        return [slot for name in self.wrt for slot in places.get(name, ())]

    @cached_property
    def function_name(self) -> str:
        """The name of the emitted function."""
        name = self._name
        wanted = f"{name}_{self.mode.name}" if self.mode != VALUE else name
        return Names(emitted_names()).fresh(wanted)

    @property
    def summary(self) -> str:
        """The comment on the first line of the emitted module."""
        traced = self.traced.arguments
        arguments = ", ".join(self.parameters)
        call = f"{self._name}({arguments})" if len(arguments) < 60 else f"{self._name}(...)"
        summary = f"{call}: {self.mode.says}"
        if self.mode.differentiates and len(self.wrt) < len(traced):
            summary += f" by {', '.join(self.wrt)}"
        if self.options.batched:
            reduce = self.options.reduce
            how = f"the {reduce} over" if reduce else "for each of"
            summary += f", {how} the rows of {', '.join(self.options.batched)}"
        return summary

    @cached_property
    def signature(self) -> Signature:
        """What the emitted function takes and returns."""
        traced, options = self.traced, self.options
        return signature_of(
            traced.arguments,
            self.parameters,
            traced.result,
            self.wrt if self.mode.differentiates else None,
            keeps_value=self.mode.keeps_value,
            batched=options.batched,
            by_row=bool(options.batched) and options.reduce is None,
            reserved=emitted_names() | {KEPT, self.function_name},
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
    def _name(self) -> str:
        return identifier(self.traced.lowered.name) or "f"
