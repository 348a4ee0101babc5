"""Value numbering over several runs of a function: what they compute alike has one number."""

from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NamedTuple

from gradcompile.graph import bindings
from gradcompile.graph.value import Constant, TracedValue, Value, topological

Site = tuple[Any, ...]
"""The instruction that each frame of a trace runs, the innermost first."""


def site_of(frame: FrameType | None) -> Site:
    """Note the instructions that the frames of the trace run, down from this one."""
    site = []
    while frame is not None and frame.f_code is not bindings.call.__code__:
        site.append(id(frame.f_code) + frame.f_lasti)
        frame = frame.f_back
    return tuple(site)


class Made(NamedTuple):
    """When a value was made in its run, and where.

    Attributes:
        order: after so many others; inf for what a join made.
        site: by these instructions.
    """

    order: float
    site: Site


@dataclass(frozen=True)
class Numbering:
    """Numbers values: two have one number if they are the same operation of such operands.

    Attributes:
        numbers: of values, by their ids.
        known: the numbers, by what is computed.
        made: when and where values were made, by their ids; only of those after a branch.
        kept: these values, so that no id is given to another.
    """

    numbers: dict[int, int] = field(default_factory=dict)
    known: dict[tuple[Any, ...], int] = field(default_factory=dict)
    made: dict[int, Made] = field(default_factory=dict)
    kept: list[Value] = field(default_factory=list)

    def note(self, value: Value, made: Made) -> None:
        """Note when and where a value was made."""
        self.made[id(value)] = made
        self.kept.append(value)

    def number(self, value: Value) -> int:
        """Give the number of a value."""
        found = self.numbers.get(id(value))
        if found is not None:
            return found
        for part in topological(value, stop_at=self):
            if part not in self:
                self.numbers[id(part)] = self.known.setdefault(self._key(part), len(self.known))
                self.kept.append(part)
        return self.numbers[id(value)]

    def __contains__(self, value: object) -> bool:
        return id(value) in self.numbers

    def _key(self, value: Value) -> tuple[Any, ...]:
        if isinstance(value, TracedValue) and value.op is not None:
            return (value.op, *[self.numbers[id(operand)] for operand in value.operands])
        # As text, a nan is equal to itself, and 0.0 is not -0.0.
        return (value.data.hex(),) if isinstance(value, Constant) else (id(value),)
