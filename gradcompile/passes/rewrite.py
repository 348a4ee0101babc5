"""Rebuilds a program instruction by instruction; the rewriting passes share it."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

from gradcompile.ir.builder import Builder
from gradcompile.ir.program import Instruction, Operand, Output, Program, Var
from gradcompile.ops import table

AnyBuilder = TypeVar("AnyBuilder", bound=Builder)
Step = Callable[[AnyBuilder, Instruction], Operand | None]


def rewrite(
    program: Program, builder: AnyBuilder, step: Step[AnyBuilder], anew: bool = False
) -> Program:
    """Replace each instruction of `program` by what `step` makes of it.

    `step` gets the builder and an instruction whose operands are already the new ones. It returns
    None if that stays as it is, and else the operand to use for its result: the result itself,
    after appending the instruction that assigns it, or another. A result that has a name stays, as
    a copy, when it becomes another value: the reader who named it will look for it. The name of the
    variable that it was bound to goes to the other value.

    Most instructions stay what they are, so they are not made anew. Those that are settled are
    not even looked at, unless `anew`: after differentiation, the forward sweep. If nothing is
    changed, the result is `program` itself.
    """
    new: dict[Operand | None, Operand] = {}
    are_as_before = new.keys().isdisjoint
    bound = dict(program.bound)

    def renew(operand: Operand) -> Operand:
        while isinstance(operand, Var) and operand in new:
            operand = new[operand]
        return operand

    def renewed(instruction: Instruction) -> Instruction:
        result, op, operands, origin = instruction
        primal = None if origin is None else renew(origin)
        origin = primal if isinstance(primal, Var) else origin
        return Instruction(result, op, tuple(map(renew, operands)), origin)

    def replace_result(instruction: Instruction, value: Operand) -> None:
        result = instruction.result
        last = builder.instructions[-1] if builder.instructions else None
        if last and last.result is value and _takes_over(instruction, last):
            builder.rename_last(result)
            new[value] = result
            pass_on(value, result)
        elif isinstance(value, Var) and result.full_name:
            builder.apply(table.copy, (value,), result)
        else:
            new[result] = value
            pass_on(result, value)

    def pass_on(replaced: Operand, value: Operand) -> None:
        """Let what stays have the name of the variable, unless it has one already."""
        if isinstance(replaced, Var) and isinstance(value, Var) and not value.full_name:
            name = bound.get(replaced)
            if name is not None:
                bound.setdefault(value, name)

    def walk(instructions: Iterable[Instruction]) -> None:
        for old in instructions:
            result, _, operands, origin = old
            stays = not new or (origin not in new and are_as_before(operands))
            instruction = old if stays else renewed(old)
            builder.origin = instruction.origin
            value = step(builder, instruction)
            if value is None:
                builder.keep(instruction)
            elif value is not result:
                replace_result(instruction, renew(value))

    def renew_output(output: Output) -> Output:
        return tuple(map(renew, output)) if isinstance(output, tuple) else renew(output)

    before, after = program.instructions[: program.settled], program.instructions[program.settled :]
    if anew:
        walk(before)
    else:
        builder.keep_all(before)
    settled = len(builder.instructions)
    walk(after)
    instructions = tuple(builder.instructions)
    if instructions == program.instructions and not new:
        return program
    outputs = tuple(map(renew_output, program.outputs))
    return replace(
        program, instructions=instructions, settled=settled, outputs=outputs, bound=bound
    )


def _takes_over(instruction: Instruction, last: Instruction) -> bool:
    """Tell whether a result says more about what it is than the new value that replaces it."""
    result, value = instruction.result, last.result
    same_sweep = (instruction.origin is None) == (last.origin is None)
    says_something = bool(result.name) or result.primal is not None
    return same_sweep and says_something and not value.name and value.primal is None
