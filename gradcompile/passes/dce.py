"""Dead code: what no output needs is dropped."""

from dataclasses import replace

from gradcompile.ir.program import Instruction, Operand, Program


def dce(program: Program) -> Program:
    """Drop the instructions whose results nothing reads."""
    live: set[Operand] = set(program.flat_outputs)
    kept: list[Instruction] = []
    for instruction in reversed(program.instructions):
        if instruction.result in live:
            live.update(instruction.operands)
            kept.append(instruction)
    return replace(program, instructions=tuple(reversed(kept)))
