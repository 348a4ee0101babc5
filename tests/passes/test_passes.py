"""The passes: each keeps what a program computes, and the grammar of the IR.

Every rule of simplify is proved by sympy, and compared with 50-digit numbers at ordinary and at
special ones.
"""

import itertools
import math
import random
from contextlib import nullcontext
from dataclasses import replace

import mpmath
import pytest
import sympy
from hypothesis import HealthCheck, given, settings

import gradcompile as gdc
from gradcompile import Value
from gradcompile.autodiff.reverse import reverse
from gradcompile.graph.lower import lower
from gradcompile.ir.builder import IndexedBuilder
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const, Instruction, Program, Var, print_program, verify_program
from gradcompile.ops import table
from gradcompile.ops.op import CONDITIONS
from gradcompile.ops.syntax import evaluate, parse
from gradcompile.ops.table import TABLE
from gradcompile.passes import PIPELINE, cse, dce, fold, run_passes, simplify
from gradcompile.passes.match import candidates, match
from gradcompile.passes.rules import IDENTITIES, STABILITY, Rule, Variable
from gradcompile.verify import symbols as symbolic
from tests.helpers import oracles
from tests.helpers.engines import explain, flat, near, run_with, same, unsigned_zeros
from tests.helpers.lowering import program_of
from tests.helpers.programs import INPUTS, deadline, points, recipes

RULES = [pytest.param(rule, id=rule.pattern) for rule in (*IDENTITIES, *STABILITY)]
PASSES = [pytest.param(transform, id=transform.__name__) for transform, _ in PIPELINE]

relaxed = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def opcodes(program):
    return [instruction.op.name for instruction in program.instructions]


def same_but_for_zeros(program, changed, at):
    """Are the results the same bits, at least where no zero has a sign?

    Of maximum(-0.0, 0.0) and maximum(0.0, -0.0) one becomes the other.
    """
    if same(flat(interpret(program, at)), flat(interpret(changed, at))):
        return True
    return same(*(run_with(each, at, unsigned_zeros) for each in (program, changed)))


def size(output):
    return len(output) if isinstance(output, tuple) else None


# --- any program -----------------------------------------------------------------------------


@pytest.mark.parametrize("transform", PASSES)
@relaxed
@given(recipe=recipes(), at=points())
def test_a_pass_keeps_the_grammar_and_the_results(transform, recipe, at):
    value = recipe.program()
    for program in (value, reverse(value, range(INPUTS))):
        before = (program.inputs, program.instructions, program.outputs)
        changed = verify_program(transform(program))
        assert (program.inputs, program.instructions, program.outputs) == before, "not pure"
        assert changed.inputs == program.inputs
        assert changed.name == program.name
        assert list(map(size, changed.outputs)) == list(map(size, program.outputs))
        with deadline(5):
            a, b = flat(interpret(program, at)), flat(interpret(changed, at))
        if transform is cse:
            assert same_but_for_zeros(program, changed, at)
        elif transform is not simplify:
            assert same(a, b)
        elif program is value:
            assert explain((program, changed), at, 0, a[0], b[0]), (a, b)


@relaxed
@given(recipe=recipes(), at=points())
def test_where_no_rule_fires_results_are_the_same_bits(recipe, at):
    program = recipe.program()
    changed = run_passes(program, verify_program)
    if not changed.notes:
        assert same_but_for_zeros(program, changed, at)


@relaxed
@given(recipe=recipes())
def test_the_pipeline_is_done_after_a_few_rounds(recipe):
    program = run_passes(reverse(recipe.program(), range(INPUTS)))
    for _ in range(4):
        again = run_passes(replace(program, settled=0))
        if print_program(again) == print_program(program):
            return
        assert len(again) <= len(program)
        program = again
    pytest.fail(f"the passes go on and on:\n{program}")


def test_a_check_sees_the_program_after_every_pass():
    seen = []
    program = program_of(lambda x: x * 1.0 + 2.0, "x")
    run_passes(program, lambda p: seen.append(len(p)) or p)
    assert len(seen) == len(PIPELINE)
    assert seen[-1] == 1
    assert all(reason for _, reason in PIPELINE)


def passes_run(program):
    names = []

    def timed(name):
        names.append(name)
        return nullcontext()

    run_passes(program, timed=timed)
    return names


def test_a_pass_does_not_look_again_at_what_it_left():
    once = program_of(lambda x: x * 1.0 + 2.0, "x")
    assert passes_run(once) == ["fold", "simplify", "cse", "dce"]
    twice = program_of(lambda x: x.exp() * x.exp(), "x")
    assert passes_run(twice) == ["fold", "simplify", "cse", "simplify", "dce"]


@pytest.mark.parametrize("transform", [fold, simplify, cse])
def test_a_program_in_which_nothing_changes_stays_the_same_object(transform):
    program = program_of(lambda x, y: (x * y).tanh() + 2.0 * x, "x", "y")
    assert transform(program) is program


def test_simplify_also_simplifies_what_a_rule_for_long_sums_makes():
    def f(x, y, z):
        weights = [gdc.exp(v) for v in (x, y, z)]
        return gdc.log(weights[0] / (weights[0] + weights[1] + weights[2]))

    once = simplify(program_of(f, "x", "y", "z"))
    assert simplify(once) is once
    assert once.notes


# --- rules -----------------------------------------------------------------------------------

NAN_FOR_MINUS_INFINITY = {"x ** 0.5", "x ** -0.5"}
"""Rules that say so: a root of -inf is nan, as that of other negative numbers; the power is not."""

INFINITY_OVER_NAN = {"sqrt(square(x) + square(y))"}
"""Rules that say so: hypot(inf, nan) is inf, by IEEE-754."""


def sides(rule, algebra):
    """Both sides of a rule, as functions of the variables' values."""
    constants = {"inf": algebra.number(math.inf), "nan": algebra.number(math.nan)}

    def side(text):
        tree = parse(text)
        return lambda values: evaluate(
            tree, {**constants, **values}, algebra.functions, algebra.number
        )

    return side(rule.pattern), side(rule.replacement)


def proved(rule):
    """Does sympy see that a rule's two sides are equal, for all reals or for those of each sign?"""
    names = rule.variables
    families = [
        [{name: sympy.Symbol(name, real=True) for name in names}],
        [
            {
                name: sign * sympy.Symbol(f"p_{name}", positive=True)
                for name, sign in zip(names, signs, strict=True)
            }
            for signs in itertools.product((1, -1), repeat=len(names))
        ],
    ]
    for family in families:
        charts = [chart for chart in family if is_defined(rule, chart)]
        differences = []
        for chart in charts:
            pattern, replacement = (as_number(side(chart)) for side in sides(rule, oracles.SYMBOLS))
            differences.append(pattern - replacement)
        if charts and all(map(is_zero, differences)):
            return True
    return False


def as_number(side):
    """A side of a rule; 1 or 0 for a condition, as in the op table."""
    expression = sympy.sympify(side)
    is_condition = isinstance(expression, sympy.logic.boolalg.Boolean)
    return sympy.Piecewise((1, expression), (0, True)) if is_condition else expression


def is_defined(rule, chart):
    """Does the pattern have a real value somewhere in this part?"""
    symbols = sorted(set().union(*(sympy.sympify(x).free_symbols for x in chart.values())), key=str)
    rng = random.Random(0)
    for _ in range(20):
        numbers = {s: rng.uniform(0.1 if s.is_positive else -3.0, 3.0) for s in symbols}
        at = {name: mpmath.mpf(float(x.subs(numbers))) for name, x in chart.items()}
        if exact(rule, at) is not None:
            return True
    return False


def is_zero(difference):
    return symbolic.is_zero(difference) or sympy.simplify(difference.rewrite(sympy.exp)) == 0


def exact(rule, at):
    """The exact value of the pattern, at infinity its limit; None where there is none."""
    at = {name: mpmath.sign(x) * 10**6 if mpmath.isinf(x) else x for name, x in at.items()}
    try:
        # 1 - sigmoid(x) needs as many digits as exp(x) has.
        with mpmath.workdps(1000):
            x = sides(rule, oracles.NUMBERS)[0](at)
            x = mpmath.mpmathify(x) if not isinstance(x, bool) else mpmath.mpf(x)
    except (ArithmeticError, ValueError, TypeError):
        return None
    return x if oracles.is_finite_real(x) else None


@pytest.mark.parametrize("rule", RULES)
def test_sympy_proves_the_rule(rule):
    assert proved(rule)


@pytest.mark.parametrize(
    "rule",
    [
        Rule("x - -y", "x - y", "wrong"),
        Rule("log(1.0 + x)", "log1p(2.0 * x)", "wrong"),
        Rule("where(c, x, x)", "c", "wrong"),
        Rule("sqrt(square(x))", "x", "wrong for negative numbers"),
        Rule("x * where(c, 0.0, y)", "where(c, x, x * y)", "wrong"),
    ],
    ids=lambda rule: rule.pattern,
)
def test_a_wrong_rule_is_not_proved(rule):
    assert not proved(rule)


def rule_programs(rule):
    """Both sides of a rule as programs over its variables."""
    inputs = [Value(1.0, name) for name in rule.variables]
    given = dict(zip(rule.variables, inputs, strict=True))
    given |= {"inf": math.inf, "nan": math.nan}
    found = []
    for text in (rule.pattern, rule.replacement):
        root = evaluate(parse(text), given, TABLE)
        root = root if isinstance(root, Value) else Value(root)
        found.append(lower([root], inputs, rule.variables, "f").program)
    return found


NUMBERS = (
    math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.3, -0.7, 2.5, -3.0, 20.0, -50.0,
    1e-9, -1e-17, 300.0, -800.0, 1e155, -1e200, 5e-324, 1.7e308,
)  # fmt: skip


def sample_points(rule):
    few = NUMBERS[: {1: 21, 2: 21, 3: 12}.get(len(rule.variables), 7)]
    choices = [(0.0, 1.0, -2.0) if name in CONDITIONS else few for name in rule.variables]
    return list(itertools.product(*choices))


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(
            rule,
            id=rule.pattern,
            marks=pytest.mark.slow if rule.pattern == "log(exp(x) + exp(y))" else [],
        )
        for rule in (*IDENTITIES, *STABILITY)
    ],
)
def test_the_rule_keeps_the_value_or_is_nearer_to_the_exact_one(rule):
    pattern, replacement = rule_programs(rule)
    for at in sample_points(rule):
        if rule.pattern in NAN_FOR_MINUS_INFINITY and at == (-math.inf,):
            continue
        if rule.pattern in INFINITY_OVER_NAN and any(map(math.isnan, at)):
            continue
        fits = zip(rule.variables, at, strict=True)
        if not all(Variable(name).takes(Const(x)) for name, x in fits):
            continue
        (a,), (b,) = interpret(pattern, at), interpret(replacement, at)
        if a == b or (math.isnan(a) and math.isnan(b)):
            continue
        # A zero of the other sign may have gone through a quotient inside.
        if near(*(run_with(p, at, unsigned_zeros)[0] for p in (pattern, replacement))):
            continue
        values = {name: mpmath.mpf(x) for name, x in zip(rule.variables, at, strict=True)}
        truth = exact(rule, values)
        assert truth is not None, f"{at}: {a} becomes {b}"
        with mpmath.workdps(oracles.DIGITS):
            assert within_two_ulp(a, b, truth), f"{at}: {a} becomes {b}, exactly {truth}"


def within_two_ulp(a, b, truth):
    """Is b as good as a, but for two units in the last place of the exact result?"""
    ulp = math.ulp(float(truth))
    if abs(truth) < 5e-324:
        return abs(b) <= 5e-324
    if math.isinf(ulp) or math.isinf(float(truth)):
        return math.isinf(b) or math.isfinite(b)
    if not math.isfinite(b):
        return False
    error_a = abs(mpmath.mpf(a) - truth) if math.isfinite(a) else mpmath.inf
    return abs(mpmath.mpf(b) - truth) <= error_a + 2 * ulp


@pytest.mark.parametrize(
    "rule", [pytest.param(rule, id=rule.pattern) for rule in STABILITY if rule.gain]
)
def test_a_stability_rule_gains_digits_where_it_says_so(rule):
    pattern, replacement = rule_programs(rule)
    rng = random.Random(rule.pattern)
    worst = [0.0, 0.0]
    for _ in range(50):
        at = [rng.uniform(low, high) for low, high in rule.gain]
        truth = exact(rule, dict(zip(rule.variables, map(mpmath.mpf, at), strict=True)))
        assert truth is not None
        for side, program in enumerate((pattern, replacement)):
            (found,) = interpret(program, at)
            error = abs(found - float(truth)) / abs(float(truth)) if truth else 0.0
            worst[side] = max(worst[side], error if math.isfinite(error) else math.inf)
    # exp(log(x)) loses the digits that log(x) has before the point.
    assert worst[1] < 1e-13
    assert worst[1] < worst[0] / 4


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_fires_where_it_matches(rule):
    pattern, _ = rule_programs(rule)
    if "k" in rule.variables:  # a constant
        place = rule.variables.index("k")
        constant = Const(3.0)
        pattern = replace(
            pattern,
            instructions=tuple(
                i._replace(
                    operands=tuple(
                        constant if x is pattern.inputs[place] else x for x in i.operands
                    )
                )
                for i in pattern.instructions
            ),
        )
    assert f"{rule.note}: 1×" in simplify(pattern).notes


def test_stability_rules_leave_the_reverse_sweep_alone():
    program = program_of(lambda x: x.log(), "x")
    gradient = reverse(program, [0])
    slope = Var()
    one_plus = Var()
    extended = replace(
        gradient,
        instructions=(
            *gradient.instructions,
            Instruction(one_plus, table.add, (Const(1.0), gradient.inputs[0]), Var()),
            Instruction(slope, table.log, (one_plus,), Var()),
        ),
        outputs=(slope,),
    )
    assert "log1p" not in opcodes(simplify(extended))
    forward = program_of(lambda x: (1.0 + x).log(), "x")
    assert opcodes(run_passes(forward)) == ["log1p"]


def test_notes_say_which_rules_fired_and_how_often():
    program = program_of(lambda x, y: x * 1.0 + y * 1.0 + (x - 0.0), "x", "y")
    notes = simplify(program).notes
    assert any("x * 1.0 → x (a factor of one): 2×" in note for note in notes)
    assert any("subtracting nothing" in note and note.endswith("1×") for note in notes)


def test_zero_times_x_is_not_folded():
    assert opcodes(run_passes(program_of(lambda x: 0.0 * x, "x"))) == ["mul"]
    assert opcodes(run_passes(program_of(lambda x: x - x, "x"))) == ["sub"]
    assert opcodes(run_passes(program_of(lambda x: x / x, "x"))) == ["div"]


@pytest.mark.parametrize("factor", [1e150, 1e200, 9e307, 1e308, 1.7e308, -1.7e308])
def test_constants_are_not_multiplied_where_their_product_may_overflow(factor):
    program = program_of(lambda x: factor * (2.0 * x), "x")
    assert interpret(run_passes(program), [1e-300]) == interpret(program, [1e-300])
    assert math.isfinite(interpret(program, [1e-300])[0])


def test_rules_meet_in_chains():
    def f(x, y):
        return -gdc.neg(x * 1.0) + -(-1.0 * y) + 0.0

    assert opcodes(run_passes(program_of(f, "x", "y"))) == ["add"]


@relaxed
@given(recipe=recipes())
def test_a_rule_that_matches_is_a_candidate(recipe):
    for program in (recipe.program(), reverse(recipe.program(), range(INPUTS))):
        builder = IndexedBuilder()
        for instruction in program.instructions:
            is_forward = instruction.origin is None
            found = candidates(builder, instruction)
            for rule in (*STABILITY, *IDENTITIES) if is_forward else IDENTITIES:
                _, op, operands, _ = instruction
                if match(builder, rule.tree, op, operands, {}) is not None:
                    assert rule in found
            builder.keep(instruction)


# --- fold, cse, dce --------------------------------------------------------------------------


def two_constants(op):
    rng = random.Random(op.name)
    return oracles.sample(op, rng) or (0.5,) * op.arity


@pytest.mark.parametrize("op", [pytest.param(op, id=op.name) for op in TABLE.values()])
def test_fold_computes_what_the_table_says(op):
    at = two_constants(op)
    result = Var("y")
    instruction = Instruction(result, op, tuple(map(Const, at)))
    folded = fold(Program("f", (), (instruction,), (result,)))
    assert folded.instructions == ()
    assert folded.outputs == (Const(op.evaluate(*at)),)


def test_fold_goes_on_through_what_it_folded():
    def f(x):
        return x * ((Value(2.0) + 3.0) * 4.0 - Value(1.0).exp() * 0.0)

    program = fold(program_of(f, "x"))
    assert opcodes(program) == ["mul"]
    assert program.instructions[0].operands[1] == Const(20.0)


def test_fold_keeps_nan_inf_and_the_sign_of_zero():
    def folded(a, op, b):
        y = Var()
        program = Program("f", (), (Instruction(y, op, (Const(a), Const(b))),), (y,))
        return fold(program).outputs[0]

    assert folded(0.0, table.div, 0.0) == Const(math.nan)
    assert folded(1.0, table.div, -0.0) == Const(-math.inf)
    assert folded(-1.0, table.mul, 0.0) == Const(-0.0)
    assert folded(-1.0, table.mul, 0.0) != Const(0.0)


def test_a_sum_of_whole_numbers_that_rounds_is_not_folded_in_the_reverse_sweep():
    def folded_in_reverse(op, a, b):
        y = Var()
        instruction = Instruction(y, op, (Const(a), Const(b)), Var())
        return fold(Program("f", (), (instruction,), (y,))).instructions == ()

    for exponent in range(53, 64):
        assert not folded_in_reverse(table.add, 2.0**exponent, 1.0)
        assert not folded_in_reverse(table.mul, 2.0**exponent - 2.0 ** (exponent - 53), 3.0)
    assert folded_in_reverse(table.add, 2.0**52, 1.0)
    assert folded_in_reverse(table.mul, 2.0**60, 8.0)


def test_cse_merges_equal_and_swapped_expressions():
    def f(x, y):
        return (x * y).sin() + (y * x).sin() * (x - y).sin()

    program = cse(program_of(f, "x", "y"))
    assert opcodes(program) == ["mul", "sin", "sub", "sin", "mul", "add"]


def test_cse_does_not_swap_what_does_not_commute():
    program = cse(program_of(lambda x, y: (x - y) * (y - x), "x", "y"))
    assert opcodes(program) == ["sub", "sub", "mul"]


def test_cse_tells_constants_by_their_bits():
    def f(x):
        return x / 0.0 + x / -0.0

    assert opcodes(cse(program_of(f, "x"))) == ["div", "div", "add"]
    nan = cse(program_of(lambda x: (x + math.nan) * (x + math.nan), "x"))
    assert opcodes(nan) == ["add", "mul"]


def test_cse_follows_chains_of_equal_things():
    def f(x):
        first, second = ((x * x).exp() + 1.0), ((x * x).exp() + 1.0)
        return first / second

    assert opcodes(cse(program_of(f, "x"))) == ["mul", "exp", "add", "div"]


def test_cse_of_a_value_that_a_name_has_taken_over():
    # x_bar takes over the last instruction; what was seen before must be found under that name.
    a, b, c = Var(), Var("n"), Var("m")
    x = Var("x")
    rows = (
        Instruction(a, table.sin, (x,)),
        Instruction(b, table.sin, (x,)),
        Instruction(c, table.sin, (x,)),
    )
    program = verify_program(cse(Program("f", (x,), rows, (b, c))))
    assert flat(interpret(program, [0.5])) == [math.sin(0.5)] * 2
    assert opcodes(program).count("sin") == 1


def test_dce_drops_what_no_output_needs():
    def f(x, y):
        (x * y).exp().tanh()
        return x + y

    inputs = [Value(1.0, "x"), Value(2.0, "y")]
    dead = inputs[0] * inputs[1]
    live = inputs[0] + inputs[1]
    both = lower([dead.exp(), live], inputs, ["x", "y"], "f").program
    program = dce(replace(both, outputs=both.outputs[1:]))
    assert opcodes(program) == ["add"]
    assert program.inputs == both.inputs


def test_dce_keeps_every_output_of_an_array():
    x = Var("x")
    a, b, c = Var(), Var(), Var()
    rows = tuple(
        Instruction(v, op, (x,)) for v, op in ((a, table.sin), (b, table.cos), (c, table.exp))
    )
    program = dce(Program("f", (x,), rows, (a, (c, Const(1.0), x))))
    assert opcodes(program) == ["sin", "exp"]


# --- names and origins -----------------------------------------------------------------------


def test_a_named_result_keeps_its_name():
    def f(x, y):
        n = x * 1.0 + 0.0 + y
        n.label = "n"
        m = n * 1.0
        m.label = "m"
        return m.tanh()

    program = run_passes(program_of(f, "x", "y"))
    names = [i.result.name for i in program.instructions]
    assert "n" in names
    assert "m" in names
    assert opcodes(program) == ["add", "copy", "tanh"]


def test_an_unnamed_result_leaves_its_name_to_the_one_that_replaces_it():
    def f(x, y):
        e = (x + y) * 1.0
        e.label = "e"
        return e.tanh()

    program = run_passes(program_of(f, "x", "y"))
    assert [(i.result.name, i.op.name) for i in program.instructions] == [
        ("e", "add"),
        ("", "tanh"),
    ]


def test_a_named_input_that_comes_out_unchanged_is_a_copy():
    def f(x):
        y = x * 1.0
        y.label = "y"
        return y

    program = run_passes(program_of(f, "x"))
    assert opcodes(program) == ["copy"]
    assert program.outputs[0].name == "y"


def test_a_forward_value_is_never_renamed_to_an_adjoint():
    # exp(x) is its own slope: the value stays the value, and the adjoint may be a copy of it.
    program = run_passes(reverse(program_of(lambda x: x.exp(), "x"), [0]))
    first = program.instructions[0]
    assert first.op is table.exp
    assert first.result.primal is None
    assert flat(interpret(program, [0.5])) == [math.exp(0.5)] * 2


def test_origins_point_to_forward_values_that_exist():
    def f(x, y):
        n = x * y + x
        n.label = "n"
        return n.tanh() * n.exp()

    program = run_passes(reverse(run_passes(program_of(f, "x", "y")), [0, 1]))
    forward = {i.result for i in program.instructions if i.origin is None}
    reverse_sweep = [i for i in program.instructions if i.origin is not None]
    assert reverse_sweep
    for instruction in reverse_sweep:
        assert instruction.origin in forward, program


@relaxed
@given(recipe=recipes())
def test_origins_are_forward_values_of_the_program_in_any_program(recipe):
    program = run_passes(reverse(run_passes(recipe.program()), range(INPUTS)))
    for instruction in program.instructions:
        if instruction.origin is not None:
            assert instruction.origin.depth == 0


def test_adjoints_know_their_primals():
    program = run_passes(reverse(program_of(lambda x, y: (x * y).tanh(), "x", "y"), [0, 1]))
    gradient = program.outputs[1]
    assert [var.full_name for var in gradient] == ["x_bar", "y_bar"]
    again = reverse(replace(program, outputs=(gradient[0],)), [0])
    bars = {i.result.full_name for i in again.instructions} | {
        var.full_name for var in again.outputs[1] if isinstance(var, Var)
    }
    assert "x_bar" in bars
