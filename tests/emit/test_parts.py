"""Long text in parts: the same numbers as in one function, in bounded time."""

import ast
import json
import random
import re
import time

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.emit.parts import LIMIT, crossing, cut, cut_by_length
from gradcompile.ir.interpret import interpret
from gradcompile.ir.signature import flat_signature
from gradcompile.jit import jit
from gradcompile.ops.syntax import ExpressionError
from gradcompile.verify.adjoints import verify_source
from tests.helpers.engines import Subject, same
from tests.helpers.flat import emit_flat, emit_kernel, flat, of_flat, python_of, signature_of
from tests.helpers.programs import deadline, merged, random_points, random_recipe
from tests.helpers.slow import slow_but

COUNT = 25


def function_of(source):
    names = {}
    exec(compile(source, "<emitted>", "exec"), names)
    return names["f"]


def results(function, at):
    with np.errstate(all="ignore"):
        return flat(function(np.array(at, np.float64)))


def parts_of(source):
    return source.count("# part ")


# --- the plan --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 10, 11, 99])
@pytest.mark.parametrize("limit", [1, 2, 5, 10])
def test_cuts_are_few_and_even(size, limit):
    stretches = cut(list(range(size)), limit)
    assert [x for stretch in stretches for x in stretch] == list(range(size))
    lengths = [len(stretch) for stretch in stretches]
    assert max(lengths) <= limit
    assert max(lengths) - min(lengths) <= 1
    assert len(stretches) == -(-size // limit)


def test_what_crosses_a_cut_is_kept_in_order():
    parts = [{"a", "b", "x"}, {"c", "b"}, {"c", "x"}]
    assert crossing(parts, ["a", "b", "c"]) == ["b", "c"]


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [
        ([3, 3, 3, 3], [[3, 3], [3, 3]]),
        ([5, 2, 9, 1], [[5], [2], [9], [1]]),
        ([1, 9, 1, 5], [[1], [9], [1, 5]]),
        ([9], [[9]]),
    ],
)
def test_stretches_are_filled_in_order_and_what_is_too_long_stands_alone(lengths, expected):
    assert cut_by_length(lengths, lengths, 6) == expected


# --- the text --------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", slow_but([1, 3], [1, 2, 3, 5]))
def test_parts_compute_what_one_function_computes(limit):
    for number in range(COUNT):
        rng = random.Random(f"split {number}")
        program = Subject(random_recipe(rng, 12)).gradient
        whole, split = emit_flat(program), emit_flat(program, limit=limit)
        assert parts_of(whole) == 0
        for at in random_points(rng):
            with deadline(10):
                one, other = results(function_of(whole), at), results(function_of(split), at)
            assert np.array_equal(np.array(one).view("u8"), np.array(other).view("u8")) or same(
                one, other
            ), split


@pytest.mark.parametrize(
    ("count", "limits"), slow_but([(3, (3,))], [(3, (3,)), (5, (15,)), (15, (10, 60))])
)
def test_machine_code_of_parts_computes_what_that_of_one_function_computes(count, limits):
    rng = random.Random("split machine")
    programs = [Subject(random_recipe(rng, 12)).gradient for _ in range(count)]
    program = merged(programs)
    at = [x for _ in programs for x in random_points(rng, 1, 0)[0]]
    signature = flat_signature(program)
    whole = jit(function_of(emit_flat(program)), signature, use_cache=False)
    expected = np.array(results(whole, at)).view("u8")
    for limit in limits:
        source = emit_flat(program, limit=limit)
        assert parts_of(source) > 1
        found = results(jit(function_of(source), signature, use_cache=False), at)
        assert np.array_equal(np.array(found).view("u8"), expected)


def test_no_part_is_longer_than_the_limit():
    source = long_program(limit=10)
    for text in source.split("# part ")[1:]:
        (part,) = ast.parse(text.partition("\n")[2].split("\n\n\n")[0]).body
        assert 1 <= sum(not is_load(statement) for statement in part.body) <= 10


def is_load(statement):
    """Does it assign elements of arrays to names, and nothing else?"""
    value, (target, *_) = statement.value, statement.targets
    read = value.elts if isinstance(value, ast.Tuple) else [value]
    named = target.elts if isinstance(target, ast.Tuple) else [target]
    names = all(isinstance(x, ast.Name) for x in named)
    return names and all(isinstance(x, ast.Subscript) for x in read)


def long_program(limit):
    xs = [Value(1.0, f"x{index}") for index in range(41)]
    root = sum((x.sin() * xs[0] for x in xs[:40]), Value(0.0)) + xs[40]
    function = gdc.compile(root, inputs=xs, name="f", cache=False)
    return emit_kernel(function.value_and_grad, limit=limit)


@pytest.mark.parametrize("limit", [1, 10, 30])
def test_long_arrays_are_filled_by_the_parts(limit):
    source = long_program(limit)
    assert "gradient = empty(41)" in source
    assert "gradient[40] = 1.0" in source
    at = np.linspace(-1.0, 1.0, 41)
    value, (gradient,) = function_of(source)(at)
    assert value == pytest.approx((np.sin(at[:40]) * at[0]).sum() + at[40], rel=1e-13)
    assert gradient[1:40].tolist() == pytest.approx((np.cos(at[1:40]) * at[0]).tolist(), rel=1e-13)
    assert gradient[40] == 1.0


def test_labels_do_not_collide_with_what_parts_are_called():
    leaves = [Value(0.5 + 0.1 * k, label) for k, label in enumerate(("kept", "f_1", "f_2", "f"))]
    inner = []
    for label, x in zip(("f_3", "kept", "inputs", "f_1"), leaves, strict=True):
        inner.append(x.sin() * x)
        inner[-1].label = label
    root = sum(inner[1:], inner[0]).tanh()
    function = gdc.compile(root, inputs=leaves, name="f", cache=False)
    at = [x.data for x in leaves]
    kernel = function.value_and_grad
    texts = [emit_kernel(kernel, limit=limit) for limit in (100, 3)]
    assert [parts_of(text) > 1 for text in texts] == [False, True]
    whole, split = (of_flat(function_of(text), signature_of(kernel)) for text in texts)
    assert whole(at) == split(at)


def test_text_below_the_limit_is_one_function():
    x = Value(1.0, "x")
    root = x
    for _ in range(LIMIT // 8):
        root = (root * x).sin()
    assert parts_of(gdc.compile(root, inputs=[x], roll=False, cache=False).source) == 0


def test_a_kernel_beyond_the_limit_is_split():
    x = Value(0.5, "x")
    root = x
    for _ in range(LIMIT):
        root = (root * x).sin()
    function = gdc.compile(root, inputs=[x], roll=False, cache=False)
    assert parts_of(function.source) > 2
    root.backward()
    value, gradient = python_of(function.value_and_grad)([0.5])
    assert value == root.data
    assert gradient[0] == pytest.approx(x.grad, rel=1e-12)


# --- machine code ----------------------------------------------------------------------------

PROCESS = """
import json, sys
import numba.core.dispatcher as dispatcher
import numpy as np
import gradcompile as gdc
from gradcompile.support import files
from gradcompile.emit.straight import emit
from gradcompile.ir.signature import flat_signature
from gradcompile.jit import jit

compiled = []
compile_extra = dispatcher.compiler.compile_extra
def counted(typing, target, function, *rest, **options):
    compiled.append(function.__name__)
    return compile_extra(typing, target, function, *rest, **options)
dispatcher.compiler.compile_extra = counted

f = gdc.compile(lambda x, y: gdc.tanh(x * y) + gdc.exp(x) * y, name="f", cache=False)
kernel = f.value_and_grad
signature = kernel._build().request.signature
source = emit(kernel.program, signature, "f", limit=2)
run = jit(files.load(source, "f").f, signature)
value, gradient = run(0.5, 2.0)
print(json.dumps([value, *gradient, [name for name in compiled if name.startswith("f")]]))
"""


@pytest.mark.slow
def test_the_next_process_compiles_no_part(run_python, tmp_path):
    first, second = (run_python(PROCESS, GRADCOMPILE_CACHE_DIR=str(tmp_path)) for _ in range(2))
    *numbers, compiled = json.loads(first)
    *again, nothing = json.loads(second)
    assert numbers == again
    assert len(compiled) > 3
    assert nothing == []
    assert len(list(tmp_path.glob("*.machine"))) == 1


def test_other_compiled_code_may_call_it():
    import numba

    f = gdc.compile(lambda x, y: gdc.tanh(x * y) + gdc.exp(x) * y, name="f", cache=False)
    kernel = f.value_and_grad
    source = emit_kernel(kernel, limit=2)
    assert parts_of(source) > 1
    run = jit(function_of(source), signature_of(kernel), use_cache=False)

    @numba.njit
    def value(x, y):
        return run(x, y)[0]

    assert value(0.5, 2.0) == f(0.5, 2.0)


# --- verification ----------------------------------------------------------------------------


def split(function):
    return emit_kernel(gdc.compile(function, cache=False).value_and_grad, limit=2)


def split_neuron():
    return split(lambda x1, x2, w1, w2, b: gdc.tanh(x1 * w1 + x2 * w2 + b) * gdc.exp(b))


def test_split_text_is_verified():
    source = split(lambda x, w, b: gdc.tanh(x * w + b) * gdc.exp(b))
    assert parts_of(source) > 3
    report = verify_source(source)
    assert [x.verdict for x in report] == ["proved"] * 3


def test_a_wrong_adjoint_in_a_part_is_refuted():
    source = split(lambda x, w, b: gdc.sin(x * w + b) * b + x * b * b)  # quick to look at
    assert parts_of(source) > 3
    reverse = source.index("# reverse sweep")
    found = 0
    for match in re.finditer(r" ([*+]) ", source):
        line = source[source.rindex("\n", 0, match.start()) : match.start()]
        if match.start() > reverse and "#" not in line:
            wrong = {"*": "+", "+": "-"}[match[1]]
            mutant = source[: match.start(1)] + wrong + source[match.end(1) :]
            assert not verify_source(mutant).ok, mutant
            found += 1
    assert found > 5


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    f_2(", "    # f_2("),
        ("    f_1(x1, x2, w1, w2, b, kept)\n", ""),
        ("    f_1(x1, x2, w1, w2, b, kept)", "    f_1(x2, x1, w1, w2, b, kept)"),
        ("= kept[1] =", "= kept[0] ="),
        (", kept[1]", ", kept[2]"),
    ],
)
def test_parts_that_do_not_fit_are_an_error(old, new):
    source = split_neuron()
    assert old in source, source
    with pytest.raises(ExpressionError):
        verify_source(source.replace(old, new, 1))


# --- time ------------------------------------------------------------------------------------


def irregular(operations, far=0.1, seed=0):
    """A random expression of about so many operations.

    An operand is one of the last 30 values; in a share of `far` of them, any earlier value.
    """
    rng = random.Random(seed)
    inputs = [Value(rng.uniform(0.5, 1.5), f"x{index}") for index in range(20)]
    values, unread = list(inputs), dict.fromkeys(inputs)
    made = 0

    def operand():
        x = rng.choice(values if rng.random() < far else values[-30:])
        unread.pop(x, None)
        return x

    while made + len(unread) < operations:
        kind = rng.random()
        if kind < 0.35:
            value = (operand() + operand()) * 0.5
        elif kind < 0.7:
            value = operand() * gdc.sin(operand())
        elif kind < 0.85:
            value = operand() - rng.uniform(0.1, 0.5)
        else:
            value = rng.choice((gdc.tanh, gdc.cos, gdc.atan))(operand())
        made += 2 if kind < 0.7 else 1
        values.append(value)
        unread[value] = None
    rest = list(unread)
    while len(rest) > 1:
        rest.append(rest.pop(0) + rest.pop(0))
    return rest[0], inputs


@pytest.mark.slow
def test_compile_time_is_linear():
    gdc.compile(lambda x: gdc.exp(x), cache=False).value_and_grad(1.0)  # numba starts
    seconds = {}
    for operations in (2_000, 20_000):
        root, inputs = irregular(operations)
        function = gdc.compile(root, inputs=inputs, roll=False, cache=False)
        at = np.array([x.data for x in inputs])
        for kernel in (function.value, function.value_and_grad):
            build = kernel._build()
            run = of_flat(build.target.function, build.request.signature)
            start = time.process_time()  # what others do on a shared machine does not count
            machine = results(build.dispatcher, at)
            seconds[build.request.kind.name, operations] = time.process_time() - start
            assert np.isfinite(machine).all()
            assert machine == run(at) == flat(interpret(build.program, at.tolist()))
    for name in ("value", "value_and_grad"):
        small, large = (seconds[name, operations] / operations for operations in (2_000, 20_000))
        print(f"\n{name}: {1e3 * small:.2f} and {1e3 * large:.2f} ms an operation")
        assert large <= 1.3 * small
