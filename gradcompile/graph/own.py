"""Operations of the user's own, written in micrograd's way: eager code has them, compiled has not.

out = Value(math.sinh(x.data), (x,), "sinh")

def _backward():
    x.grad += math.cosh(x.data) * out.grad

out._backward = _backward
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from gradcompile.ops.op import Op
from gradcompile.ops.operators import Operators


@dataclass(frozen=True, eq=False)
class OwnOp(Op):
    """An operation of which only its name is known, and what `backward()` has to call.

    Attributes:
        backward: adds to the gradients of the operands; None if it was never assigned.
    """

    backward: Callable[[], object] | None = None

    def runs_backward(self) -> bool:
        """Call what was assigned, and tell whether anything was."""
        if self.backward is not None:
            self.backward()
        return self.backward is not None


def own_op(name: str, operands: int, backward: Callable[[], object] | None = None) -> OwnOp:
    """Make an operation of a number of operands, whose slopes the table does not know.

    >>> own_op("sinh", 1).operand_names
    ('x0',)
    """
    names = " ".join(f"x{k}" for k in range(operands))
    return OwnOp(name, names, "", (None,) * operands, backward=backward)


class OwnOperations(Operators):
    """What a `Value` was made by, and micrograd's way to make it by an operation of one's own."""

    __slots__ = ("label", "op", "operands")

    label: str
    op: Op | None
    operands: tuple[Any, ...]

    def _become_own(self, children: Iterable[Any] | str, name: str) -> None:
        """Be the result of an operation of the user's; or take a text as the label."""
        if isinstance(children, str):
            self.label = children
            return
        self.operands = tuple(children)
        for child in self.operands:
            if not isinstance(child, OwnOperations):
                kind = type(child).__name__
                raise TypeError(f"Value: children: expected Values, got {kind} {child!r:.60}")
        self.op = own_op(str(name), len(self.operands))

    @property
    def _prev(self) -> set[Any]:
        """The operands as micrograd keeps them, for code written for it."""
        return set(self.operands)

    @property
    def _backward(self) -> Callable[[], object]:
        """What adds this value's contributions to its operands' gradients, as micrograd has it.

        Assigned a function, the value is the result of an operation of the user's.
        """
        own = self.op.backward if isinstance(self.op, OwnOp) else None
        return own or self._propagate

    @_backward.setter
    def _backward(self, function: Callable[[], object]) -> None:
        self.op = own_op(self._op, len(self.operands), function)
