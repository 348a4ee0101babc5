"""Reverse mode: a program becomes one that also computes its gradient.

The transformation walks the instructions backwards. Each one passes to every active operand a
contribution: its own adjoint times its partial by that operand. When the walk reaches a value, all
its contributions are known; their sum is its adjoint, assigned once. A value is active if it
depends on an input of interest and the output depends on it.

The partials come from the op table and are applied to references into the program that is being
built, so the result is an ordinary program: it can be printed, simplified and differentiated
again.
"""

from collections.abc import Collection, Sequence

from gradcompile import ops
from gradcompile.ir import Builder, Const, Instruction, Operand, Program, Ref, Var


def reverse(program: Program, wrt: Sequence[int], keep_value: bool = True) -> Program:
    """The program that returns the value of `program` and its gradient.

    Args:
        program: a program with one scalar output.
        wrt: the indices of the inputs to differentiate by.
        keep_value: return (value, gradient); else the gradient alone.

    Returns:
        A program whose last output is the tuple of adjoints of the inputs in `wrt`.
    """
    (output,) = program.flat_outputs
    sources = [program.inputs[index] for index in wrt]
    adjoints = _Adjoints(program)
    adjoints.contribute(output, Const(1.0))
    active = _depends_on(program, sources)
    for instruction in reversed(program.instructions):
        adjoints.differentiate(instruction, active)
    gradient = tuple(adjoints.accumulate(source) for source in sources)
    return Program(
        program.name,
        program.inputs,
        tuple(adjoints.builder.instructions),
        (output, gradient) if keep_value else (gradient,),
        program.notes,
    )


def _depends_on(program: Program, sources: Collection[Var]) -> set[Var]:
    """The values of `program` that depend on one of `sources`."""
    active = set(sources)
    for result, _, operands, _ in program.instructions:
        if any(operand in active for operand in operands if isinstance(operand, Var)):
            active.add(result)
    return active


class _Adjoints:
    """The contributions collected so far, and the instructions of both sweeps."""

    def __init__(self, program: Program) -> None:
        self.builder = Builder(list(program.instructions))
        self.contributions: dict[Var, list[tuple[Operand, Var | None]]] = {}

    def contribute(self, to: Operand, contribution: Operand) -> None:
        if isinstance(to, Var):
            origin = self.builder.origin
            self.contributions.setdefault(to, []).append((contribution, origin))

    def accumulate(self, var: Var) -> Operand:
        """The sum of the contributions to `var`: its adjoint."""
        contributions = self.contributions.pop(var, [])
        if not contributions:
            return Const(0.0)
        total, self.builder.origin = contributions[0]
        for contribution, origin in contributions[1:]:
            self.builder.origin = origin
            total = self.builder.apply(ops.add, (total, contribution))
        if isinstance(total, Var):
            total.primal = var
        return total

    def differentiate(self, instruction: Instruction, active: set[Var]) -> None:
        """Pass the contributions of one instruction to its active operands."""
        result, op, operands, _ = instruction
        if result not in active or result not in self.contributions:
            return
        adjoint = self.builder.ref(self.accumulate(result))
        self.builder.origin = result
        y = self.builder.ref(result)
        inputs = [self.builder.ref(operand) for operand in operands]
        for operand, partial in zip(operands, op.partials, strict=True):
            if partial is not None and operand in active:
                self.contribute(operand, self._product(adjoint, partial(y, *inputs)))

    def _product(self, adjoint: Ref | float, slope: Ref | float) -> Operand:
        contribution = ops.mul(adjoint, slope)
        return contribution.var if isinstance(contribution, Ref) else Const(contribution)
