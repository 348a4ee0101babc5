"""Rebuild a program instruction by instruction: what the rewriting passes share."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from gradcompile import ops
from gradcompile.ir import Builder, Instruction, Operand, Output, Program, Var

AnyBuilder = TypeVar("AnyBuilder", bound=Builder)
Step = Callable[[AnyBuilder, Instruction], Operand]


def rewrite(
    program: Program, builder: AnyBuilder, step: Step[AnyBuilder], anew: bool = False
) -> Program:
    """`program` with each instruction replaced by what `step` makes of it.

    `step` gets the builder and an instruction whose operands are already the new ones; it returns
    the operand to use for its result: the result itself, after appending the instruction that
    assigns it, or another. A result that has a name stays, as a copy, when it becomes another
    value: the reader who named it will look for it.

    Most instructions stay what they are, so they are not made anew. Those that are settled are
    not even looked at, unless `anew`: after differentiation, the forward sweep.
    """
    settled = 0
    if not anew:
        settled = program.settled
        for old in program.instructions[:settled]:
            builder.keep(old)
    new: dict[Operand | None, Operand] = {}
    are_as_before = new.keys().isdisjoint

    def renew(operand: Operand) -> Operand:
        while isinstance(operand, Var) and operand in new:
            operand = new[operand]
        return operand

    def renewed(instruction: Instruction) -> Instruction:
        result, op, operands, origin = instruction
        primal = None if origin is None else renew(origin)
        origin = primal if isinstance(primal, Var) else origin
        return Instruction(result, op, tuple(map(renew, operands)), origin)

    for number, old in enumerate(program.instructions[settled:], settled):
        if number == program.settled:
            settled = len(builder.instructions)
        result, _, operands, origin = old
        stays = origin not in new and are_as_before(operands)
        instruction = old if stays else renewed(old)
        builder.origin = instruction.origin
        value = step(builder, instruction)
        if value is result:
            continue
        value = renew(value)
        last = builder.instructions[-1] if builder.instructions else None
        if last and last.result is value and _takes_over(instruction, last):
            builder.rename_last(result)
            new[value] = result
        elif isinstance(value, Var) and result.full_name:
            builder.apply(ops.copy, (value,), result)
        else:
            new[result] = value

    def renew_output(output: Output) -> Output:
        return tuple(map(renew, output)) if isinstance(output, tuple) else renew(output)

    return replace(
        program,
        instructions=tuple(builder.instructions),
        settled=settled,
        outputs=tuple(map(renew_output, program.outputs)),
    )


def _takes_over(instruction: Instruction, last: Instruction) -> bool:
    """Does a result say more about what it is than the new value that replaces it?"""
    result, value = instruction.result, last.result
    same_sweep = (instruction.origin is None) == (last.origin is None)
    says_something = bool(result.name) or result.primal is not None
    return same_sweep and says_something and not value.name and value.primal is None
