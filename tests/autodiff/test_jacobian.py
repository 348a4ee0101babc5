"""Jacobians and tangents by both modes: equal to one another, second order too, and linear."""

import math
import random
import time
from dataclasses import replace
from itertools import pairwise

import pytest

from gradcompile.autodiff.forward import forward
from gradcompile.autodiff.jacobian import jacobian
from gradcompile.autodiff.modes import choose_mode
from gradcompile.autodiff.reverse import reverse
from gradcompile.autodiff.structure import structure
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const, Instruction, Program, Var, verify_program
from gradcompile.ops import table
from gradcompile.passes import run_passes
from tests.helpers.hostile import blocked_program
from tests.helpers.lowering import program_of
from tests.helpers.programs import INPUTS, random_points, random_recipe
from tests.helpers.slow import slow_but

BY = range(INPUTS)
MODES = ("forward", "reverse")


def several_outputs(rng):
    """Three random programs of the same inputs as one program with three outputs."""
    programs = [random_recipe(rng).program() for _ in range(3)]
    inputs = programs[0].inputs
    instructions, outputs = [], []
    for program in programs:
        same = dict(zip(program.inputs, inputs, strict=True))
        for result, op, operands, _ in program.instructions:
            instructions.append(Instruction(result, op, tuple(same.get(x, x) for x in operands)))
        outputs += [same.get(x, x) for x in program.flat_outputs]
    return verify_program(Program("f", inputs, tuple(instructions), tuple(outputs)))


def close(a, b):
    return (math.isnan(a) and math.isnan(b)) or a == b or abs(a - b) <= 1e-9 * max(1, abs(a))


@pytest.mark.parametrize("seed", slow_but(range(40), range(400)))
def test_columns_rows_gradients_and_tangents_of_random_programs_are_equal(seed):
    rng = random.Random(f"jacobian {seed}")
    program = several_outputs(rng)
    columns, rows = (verify_program(jacobian(program, BY, mode=mode)) for mode in MODES)
    tangents = [verify_program(forward(program, [k], [Const(1.0)], keep_value=False)) for k in BY]
    gradients = [
        reverse(replace(program, outputs=(output,)), BY, keep_value=False)
        for output in program.flat_outputs
    ]
    for at in random_points(rng, tame=3, special=0):
        by_column = interpret(columns, at)
        by_tangent = [interpret(tangent, at) for tangent in tangents]
        by_gradient = [interpret(gradient, at)[0] for gradient in gradients]
        others = [
            interpret(rows, at),
            [by_tangent[column][row] for row in range(3) for column in BY],
            [entry for gradient in by_gradient for entry in gradient],
            interpret(run_passes(columns, verify_program), at),
            interpret(run_passes(rows, verify_program), at),
        ]
        for other in others:
            assert all(map(close, by_column, other)), (program, at, by_column, other)


@pytest.mark.parametrize("seed", slow_but(range(30), range(300)))
def test_the_structure_holds_every_entry_that_is_not_zero(seed):
    rng = random.Random(f"structure {seed}")
    program = several_outputs(rng)
    for each in (program, reverse(replace(program, outputs=program.outputs[:1]), BY)):
        found = set(zip(*(x.tolist() for x in structure(each, BY)), strict=True))
        for mode in MODES:
            made = jacobian(each, BY, mode=mode)
            zeros = [k for k, x in enumerate(made.outputs) if x == Const(0.0)]
            assert found.isdisjoint((k // INPUTS, k % INPUTS) for k in zeros)
            at = random_points(rng, tame=1, special=0)[0]
            entries = enumerate(interpret(made, at))
            assert {(k // INPUTS, k % INPUTS) for k, x in entries if x != 0.0} <= found


def hessian(program, mode="forward"):
    gradient = run_passes(reverse(run_passes(program), BY, keep_value=False, again=True))
    return run_passes(jacobian(gradient, BY, mode=mode), verify_program)


@pytest.mark.parametrize("seed", slow_but(range(40), range(1000)))
def test_what_a_gate_blocks_counts_for_nothing_at_either_order(seed):
    blocked = blocked_program(random.Random(f"blocked {seed}"))
    program, cut = blocked.recipe.program(), blocked.cut.program()
    for derive in (
        lambda p: jacobian(p, BY, mode="forward"),
        lambda p: run_passes(jacobian(run_passes(p), BY, mode="forward")),
        hessian,
        lambda p: hessian(p, "reverse"),
    ):
        right = interpret(derive(cut), blocked.at)
        if all(map(math.isfinite, right)):
            assert all(map(close, right, interpret(derive(program), blocked.at))), blocked


@pytest.mark.parametrize(
    ("function", "at"),
    [
        # The value is finite here, its slope is not.
        (lambda x, y, z: (x.cbrt() * y + 0.0 * z).relu(), (0.0, 2.0)),
        (lambda x, y, z: table.maximum(x.cbrt() * y * z, 1.0), (0.0, 2.0)),
        (lambda x, y, z: (table.atan2(x, x) * y - z).relu(), (0.0, 2.0)),
        # The gate comes first, and the slope behind it is infinite.
        (lambda x, y, z: x.relu().sqrt() * y + 0.0 * z, (-1.0, 2.0)),
        (lambda x, y, z: table.where(x > 0.0, x, 0.0).cbrt() * y + 0.0 * z, (-1.0, 2.0)),
    ],
)
@pytest.mark.parametrize("mode", MODES)
def test_second_derivatives_of_what_a_gate_blocks_are_zero(function, at, mode):
    program = program_of(function, "x", "y", "z")
    assert interpret(hessian(program, mode), (*at, 1.0)) == [0.0] * 9


def product_and_sum():
    x, y, product, twice, total = (Var(name) for name in ("x", "y", "", "", ""))
    steps = (
        Instruction(product, table.mul, (x, y)),
        Instruction(twice, table.mul, (Const(2.0), y)),
        Instruction(total, table.add, (x, twice)),
    )
    return Program("f", (x, y), steps, (product, total))


# --- several outputs, chosen entries -------------------------------------------------------------


def test_the_reverse_sweep_weighs_several_outputs_by_their_seeds():
    program = product_and_sum()
    weight = Var("weight")
    program = replace(program, inputs=(*program.inputs, weight))
    gradient = verify_program(reverse(program, [0, 1], seeds=(weight, Const(10.0))))
    assert interpret(gradient, (3.0, 5.0, 100.0)) == [15.0, 13.0, [510.0, 320.0]]
    assert weight.primal is None
    without = reverse(program, [0, 1], keep_value=False, seeds=(Const(0.0), Const(1.0)))
    assert interpret(without, (3.0, 5.0, 100.0)) == [[1.0, 2.0]]


@pytest.mark.parametrize("mode", MODES)
def test_entries_come_in_the_order_of_their_places(mode):
    program = product_and_sum()
    places = [(1, 1), (0, 0), (1, 1)]
    assert interpret(jacobian(program, [0, 1], places, mode), (3.0, 5.0)) == [2.0, 5.0, 2.0]
    kept = jacobian(program, [0, 1], places[:1], mode, keep_value=True)
    assert interpret(kept, (3.0, 5.0)) == [15.0, 13.0, 2.0]


@pytest.mark.parametrize("mode", MODES)
def test_outputs_may_be_inputs_and_constants(mode):
    x, y = Var("x"), Var("y")
    program = Program("f", (x, y), (), (y, Const(3.0), x))
    assert interpret(jacobian(program, [0, 1], mode=mode), (1.0, 2.0)) == [0, 1, 0, 0, 1, 0]


def test_another_mode_is_refused():
    program = program_of(lambda x: x * x, "x")
    with pytest.raises(ValueError, match="expected 'forward', 'reverse' or None, got 'mixed'"):
        jacobian(program, [0], mode="mixed")


# --- the choice of the mode, and what it costs ---------------------------------------------------


def chain(length, op=table.sin):
    x = Var("x")
    values = [x, *(Var() for _ in range(length))]
    steps = [Instruction(b, op, (a,)) for a, b in pairwise(values)]
    return Program("chain", (x,), tuple(steps), (values[-1],))


def sum_of_squares(count):
    inputs = [Var(f"x[{k}]") for k in range(count)]
    squares = [Instruction(Var(), table.square, (x,)) for x in inputs]
    steps, total = list(squares), squares[0].result
    for square in squares[1:]:
        steps.append(Instruction(Var(), table.add, (total, square.result)))
        total = steps[-1].result
    return Program("total", tuple(inputs), tuple(steps), (total,))


def test_a_sum_is_differentiated_backwards_and_a_chain_either_way():
    choice = choose_mode(sum_of_squares(40), range(40))
    assert choice.mode == "reverse"
    # Of 40 squares by one input each, and of the sums of 2, 3, ..., 40 of them.
    assert choice.forward_cost == 40 + sum(range(2, 41))
    assert choice.reverse_cost == 40 + 39
    assert choice.why.endswith("859 derivatives of values by inputs, 79 of outputs by values")
    assert choose_mode(chain(7), [0])[:3] == ("forward", 7, 7)


def test_many_outputs_of_one_input_are_differentiated_forwards():
    x = Var("x")
    first = Instruction(Var(), table.exp, (x,))
    outputs = [Instruction(Var(), table.mul, (first.result, Const(float(k)))) for k in range(9)]
    results = tuple(step.result for step in outputs)
    assert choose_mode(Program("f", (x,), (first, *outputs), results), [0]).mode == "forward"


@pytest.mark.parametrize("count", [2000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_a_long_sum_takes_a_single_walk(count):
    program = sum_of_squares(count)
    started = time.perf_counter()
    rows, columns = structure(program, range(count))
    assert rows.tolist() == [0] * count
    assert columns.tolist() == list(range(count))
    made = jacobian(program, range(count))
    assert len(made) < 5 * count
    assert time.perf_counter() - started < count * 1e-3


def test_tangents_of_a_long_chain_are_linear_in_it():
    long = forward(chain(50_000), [0], [Const(1.0)])
    assert len(long) <= 4 * 50_000


def test_a_value_that_all_outputs_read_has_no_growing_set_of_them():
    shared, count = Var("p"), 3000
    inputs = [Var(f"x[{k}]") for k in range(count)]
    steps = [Instruction(Var(), table.mul, (x, shared)) for x in inputs]
    outputs = tuple(step.result for step in steps)
    program = Program("f", (*inputs, shared), tuple(steps), outputs)
    rows, columns = structure(program, range(count + 1))
    assert rows.tolist() == [k // 2 for k in range(2 * count)]
    assert columns.tolist() == [x for k in range(count) for x in (k, count)]
