"""Capture: constants that are data become inputs, so that the program shows its structure alone.

A graph over rows of data holds the rows as constants. A constant is data if instructions that look
alike (the same operations some levels deep) differ in it; one that they all share, like the 1.0 of
`1.0 - y * y`, is part of the formula and stays. No exponent is data: it decides the formula.
"""

from dataclasses import replace

from gradcompile import ops
from gradcompile.ir import Const, Instruction, Operand, Program, Var

DEPTH = 3
"""How many levels below an instruction count: enough to tell a layer from a penalty, and not so
many that the same formula at two places of a network looks different."""


def capture(program: Program) -> tuple[Program, int]:
    """The program with the constants that are data as its last inputs.

    Returns:
        The program, and how many of its instructions look different.
    """
    kinds = _kinds(program)
    varies = _varying(program, kinds)
    variables: dict[int, Var] = {}
    data: list[float] = []
    instructions: list[Instruction] = []
    for instruction, kind in zip(program.instructions, kinds, strict=True):
        operands = list(instruction.operands)
        for place in varies.get(kind, ()):
            constant = operands[place]
            assert isinstance(constant, Const)
            # One object is one number of the user's, wherever it is read; an equal one need not be.
            if id(constant.value) not in variables:
                variables[id(constant.value)] = Var()
                data.append(constant.value)
            operands[place] = variables[id(constant.value)]
        if kind in varies:
            instructions.append(instruction._replace(operands=tuple(operands)))
        else:
            instructions.append(instruction)
    inputs = program.inputs + tuple(variables.values())
    captured = replace(program, inputs=inputs, instructions=tuple(instructions), data=tuple(data))
    return captured, len(set(kinds))


def _kinds(program: Program) -> list[object]:
    """What each instruction looks like, `DEPTH` levels deep."""
    numbers: dict[object, int] = {}
    looks: dict[Operand, tuple[int, ...]] = dict.fromkeys(program.inputs, (0,) * DEPTH)
    constant = (-1,) * DEPTH
    kinds: list[object] = []
    for result, op, operands, _ in program.instructions:
        parts = [looks.get(operand, constant) for operand in operands]
        look = [numbers.setdefault(op.name, len(numbers) + 1)]
        for depth in range(DEPTH - 1):
            key = (op.name, *[part[depth] for part in parts])
            look.append(numbers.setdefault(key, len(numbers) + 1))
        looks[result] = tuple(look)
        kinds.append((op.name, *[part[-1] for part in parts]))
    return kinds


def _varying(program: Program, kinds: list[object]) -> dict[object, tuple[int, ...]]:
    """For each kind, the operands that are constants of several values."""
    seen: dict[tuple[object, int], Const] = {}
    varying: dict[object, set[int]] = {}
    for (_, op, operands, _), kind in zip(program.instructions, kinds, strict=True):
        for place, operand in enumerate(operands):
            if not isinstance(operand, Const) or (op is ops.pow_ and place == 1):
                continue
            if seen.setdefault((kind, place), operand) != operand:
                varying.setdefault(kind, set()).add(place)
    return {kind: tuple(sorted(places)) for kind, places in varying.items()}
