"""What is to be built: one kernel for one structure of arguments."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from gradcompile.compiler.options import VALUE, Mode, Options
from gradcompile.emit.layout import emitted_names
from gradcompile.graph.nested import paths
from gradcompile.graph.trace import Traced
from gradcompile.support.names import Names, identifier, stem


@dataclass(frozen=True, eq=False)
class Request:
    """What is to be built: one kernel for one structure of arguments.

    Attributes:
        mode: what it computes.
        traced: the program it starts from.
        wrt: the names of the arguments that it differentiates by.
        options: what `compile` was asked for.
    """

    mode: Mode
    traced: Traced
    wrt: tuple[str, ...]
    options: Options

    @cached_property
    def slots(self) -> list[int]:
        """The differentiated inputs, by their indices among the flat inputs."""
        places = self.traced.places
        return [slot for name in places if name in self.wrt for slot in places[name]]

    @cached_property
    def function_name(self) -> str:
        """The name of the emitted function."""
        name = self._name
        wanted = f"{name}_{self.mode.name}" if self.mode is not VALUE else name
        return Names(emitted_names()).fresh(wanted)

    @property
    def summary(self) -> str:
        """The comment on the first line of the emitted module."""
        arguments = ", ".join(self.traced.arguments)
        call = f"{self._name}({arguments})" if len(arguments) < 60 else f"{self._name}(...)"
        summary = f"{call}: {self.mode.says}"
        if self.mode.differentiates and len(self.wrt) < len(self.traced.arguments):
            summary += f" by {', '.join(self.wrt)}"
        if self.options.batched:
            reduce = self.options.reduce
            how = f"the {reduce} over" if reduce else "for each of"
            summary += f", {how} the rows of {', '.join(self.options.batched)}"
        return summary

    @property
    def array(self) -> str:
        """The name of an array that is returned, in the emitted text."""
        return "gradient" if self.mode.differentiates else "values"

    def labels(self) -> Iterator[str]:
        """Give for each input the name of its argument; the user's label goes before."""
        names = iter(self.traced.lowered.names)
        for argument, tree in self.traced.arguments.items():
            for path, name in zip(paths(tree, argument), names, strict=False):
                is_part = name == path and path != argument
                yield argument if is_part else stem(name)

    @property
    def _name(self) -> str:
        return identifier(self.traced.lowered.name) or "f"
