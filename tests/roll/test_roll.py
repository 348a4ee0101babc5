"""Rolling: rolled code computes what the unrolled program computes, whatever the program.

The programs are those of `blocks.py`. Their rolled text runs under CPython with arrays that watch
their subscripts: machine code reads past the end of an array without a word.
"""

import ast
import gc
import json
import math
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.compiler import code as structure
from gradcompile.emit import nest_trees
from gradcompile.ir import nests
from gradcompile.ir.interpret import interpret
from gradcompile.ir.interpret_nests import run_nests, verify_nests
from gradcompile.ir.nests import Apply, Loop
from gradcompile.loops import block
from gradcompile.roll import roll
from tests.emit.test_straight import HOSTILE
from tests.helpers.blocks import Blocks, balanced
from tests.helpers.engines import near, run_with, same, spread, unsigned_zeros
from tests.helpers.flat import flat, python_of, signature_of
from tests.helpers.slow import slow_but

VARIABLE = "GRADCOMPILE_CACHE_DIR"


class Watched(np.ndarray):
    """An array that numbers may not be read from beyond its first element."""

    def __getitem__(self, key):
        self._check(key)
        return super().__getitem__(key)

    def __setitem__(self, key, value):
        self._check(key)
        super().__setitem__(key, value)

    @staticmethod
    def _check(key):
        for k in key if isinstance(key, tuple) else (key,):
            bounds = (k.start, k.stop) if isinstance(k, slice) else (k,)
            if any(bound is not None and bound < 0 for bound in bounds):
                raise IndexError(f"{key} counts from the end")


def garbage(shape):
    """In place of numpy's `empty`: what is read before it is written shows in the result."""
    return np.full(shape, 1e99).view(Watched)


def run(kernel, at):
    """The flat result of a kernel's text under CPython, in watched arrays."""
    build = kernel._build()
    names = {}
    exec(compile(build.source, "<rolled>", "exec"), names)
    names["empty"] = garbage
    function = names[build.request.function_name]
    constants = [array.view(Watched) for array in build.target.constants]
    given = build.request.signature.arguments(np.array(at, np.float64).view(Watched))
    with np.errstate(all="ignore"):
        return flat(function(*given, *constants))


def gradient_of(program, **options):
    """The kernel of the value and gradient of everything that a program of blocks computes."""
    leaves = [Value(x) for x in program.at]
    root = program.root(leaves)
    return gdc.compile(root, {"p": leaves}, cache=False, **options).value_and_grad


def values_of(program, **options):
    """The kernel of the list of all that it computes."""
    f = gdc.compile(lambda p: program.outputs(p), cache=False, name="f", **options)
    f.arguments.read((program.at,), {})
    return f.value


def unlike(found, unrolled, at):
    """The results that rounding does not explain.

    Sums of rolled code may be added in another order. That moves a result by no more than a few
    times what changing every number of the unrolled program by an ulp does; where the problem is
    well conditioned that is below 1e-12 of the result. It may also change the sign of a zero.
    Of the few that are further off, because the terms of their sums nearly cancel, `check` asks
    that exact arithmetic would give the same.
    """
    at_all = [*at, *unrolled.data]
    return [
        (k, a, b)
        for k, (a, b) in enumerate(zip(found, flat(interpret(unrolled, at)), strict=True))
        if not near(a, b)
        and not abs(a - b) <= 16 * spread(unrolled, at_all, k)
        and not near(a, run_with(unrolled, at_all, unsigned_zeros)[k])
    ]


CANCELLING = 1e-9
"""How far a sum of terms that nearly cancel may move, when they are added in another order."""


def check(seed, regular=False):
    """Rolled and unrolled, strict and not, scalar and list: equal for a program of blocks."""
    program = Blocks(seed, regular)
    at = program.at
    for kernel_of in (gradient_of, values_of):
        unrolled = kernel_of(program, roll=False).program
        kernel = kernel_of(program, roll=True)
        different = unlike(run(kernel, at), unrolled, at)
        assert all(a == pytest.approx(b, rel=CANCELLING) for _, a, b in different)
        assert not different or kernel._build().differing() == set()
        strict = kernel_of(program, roll=True, strict=True)
        exact = flat(interpret(strict.program, at))
        assert same(run(strict, at), exact)
        rolled = verify_nests(roll(strict.program, signature_of(strict), strict=True))
        assert same(flat(run_nests(rolled, at)), exact)


@pytest.mark.parametrize("seed", slow_but(range(1, 5), range(7)))
def test_rolled_is_unrolled(seed):
    check(seed)


@pytest.mark.parametrize("seed", range(3))
def test_rolled_is_unrolled_where_blocks_are_regular(seed):
    check(seed, regular=True)


@pytest.mark.parametrize("seed", slow_but([10, 12], range(10, 13)))
def test_rolled_is_unrolled_in_blocks_of_rows(seed, monkeypatch):
    monkeypatch.setattr(block, "MAX_ROUNDS_UNBLOCKED", 2)
    for module in (nests, block, nest_trees):
        monkeypatch.setattr(module, "BLOCK_ROUNDS", 3)
    check(seed, regular=True)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1000, 1500))
def test_rolled_is_unrolled_for_many_programs(seed):
    check(seed, regular=seed % 4 == 0)


# --- machine code ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [3, pytest.param(24, marks=pytest.mark.slow)])
def test_machine_code_is_the_text(seed):
    program = Blocks(seed)
    kernel = gradient_of(program, roll=True)
    found = flat(kernel.dispatcher(np.array(program.at)))
    unrolled = gradient_of(program, roll=False).program
    assert unlike(found, unrolled, program.at) == []


# --- what is rolled --------------------------------------------------------------------------


def work(steps, rounds=1):
    """For each assignment, how often it is done, and its operations."""
    for step in steps:
        if isinstance(step, Loop):
            yield from work(step.body, rounds * step.index.extent)
        else:
            yield rounds, operations(step.value) + step.adds


def operations(expression):
    if not isinstance(expression, Apply):
        return 0
    return 1 + sum(map(operations, expression.operands))


def share(rolled):
    """Which part of the operations is done in loops of at least four rounds, and all of them."""
    found = [x for nest in rolled.nests for x in work(nest.steps)]
    total = sum(rounds * count for rounds, count in found)
    return sum(rounds * count for rounds, count in found if rounds >= 4), total


@pytest.mark.parametrize("count", slow_but([10], [10, 20]))
def test_most_of_a_regular_program_is_rolled(count):
    shares = []
    for seed in range(count):
        rolled = roll(gradient_of(Blocks(seed, regular=True), roll=True).program)
        shares.append(share(rolled))
    assert sum(looped for looped, _ in shares) >= 0.9 * sum(total for _, total in shares)
    assert sum(looped >= 0.8 * total for looped, total in shares) >= 0.9 * len(shares)


# --- three networks --------------------------------------------------------------------------


def numbers(rng, *shape):
    """Nested lists of numbers."""
    if not shape:
        return rng.uniform(-1.0, 1.0)
    return [numbers(rng, *shape[1:]) for _ in range(shape[0])]


def leaves(rng, *shape):
    """Nested lists of leaves without labels."""
    if not shape:
        return Value(rng.uniform(-1.0, 1.0))
    return [leaves(rng, *shape[1:]) for _ in range(shape[0])]


def dot(weights, values):
    return sum(w * x for w, x in zip(weights, values, strict=True))


def labelled(values, label):
    for k, value in enumerate(values):
        value.label = f"{label}[{k}]"
    return values


def mlp(rows=5, data=0):
    """A classifier with two layers, on rows of data: its squared error and its parameters."""
    rng, rng_of_data = random.Random(0), random.Random(data)
    w1, b1, w2 = leaves(rng, 4, 3), leaves(rng, 4), leaves(rng, 4)
    loss = 0.0
    for x in numbers(rng_of_data, rows, 3):
        hidden = labelled([(dot(w, x) + b).tanh() for w, b in zip(w1, b1, strict=True)], "h")
        loss += (dot(w2, hidden) - rng_of_data.uniform(-1.0, 1.0)) ** 2
    return loss / rows, {"w1": w1, "b1": b1, "w2": w2}


def rnn(steps=6, data=0):
    """A recurrent network of three units, and the square of what it says in the end."""
    rng, rng_of_data = random.Random(0), random.Random(data)
    w, u, out = leaves(rng, 3, 3), leaves(rng, 3, 2), leaves(rng, 3)
    h = [0.1, 0.2, 0.3]
    for x in numbers(rng_of_data, steps, 2):
        h = [(dot(row, h) + dot(col, x)).tanh() for row, col in zip(w, u, strict=True)]
        labelled(h, "h")
    return dot(out, h) ** 2, {"w": w, "u": u, "out": out}


def attention(positions=4, data=0):
    """Causal attention over two dimensions: each position looks at itself and those before."""
    rng, rng_of_data = random.Random(0), random.Random(data)
    query, key, value = (leaves(rng, 2, 2) for _ in range(3))
    xs = numbers(rng_of_data, positions, 2)
    q, k, v = ([[dot(row, x) for row in m] for x in xs] for m in (query, key, value))
    for name, rows in zip("qkv", (q, k, v), strict=True):
        for t, row in enumerate(rows):
            labelled(row, f"{name}[{t}]")
    loss = 0.0
    for t in range(positions):
        weights = [(dot(q[t], k[s]) / 2**0.5).exp() for s in range(t + 1)]
        total = sum(weights)
        for axis in range(2):
            mixed = sum(weight * v[s][axis] for s, weight in enumerate(weights)) / total
            loss += (mixed - rng_of_data.uniform(-1.0, 1.0)) ** 2
    return loss, {"query": query, "key": key, "value": value}


NETWORKS = (mlp, rnn, attention)


def compiled(network, *args, name=None, **options):
    root, inputs = network(*args)
    return gdc.compile(root, inputs, roll=True, name=name or network.__name__, **options)


def flatten(tree):
    return [x for part in tree for x in flatten(part)] if isinstance(tree, list) else [tree]


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_a_rolled_network_reads_as_the_golden_text(network, request):
    path = Path(__file__).parents[1] / "golden" / "rolled" / f"{network.__name__}.py"
    source = compiled(network, cache=False).source
    if request.config.getoption("--update-golden"):
        path.write_text(source, encoding="utf-8")
    assert source == path.read_text(encoding="utf-8")


def test_there_is_no_golden_text_without_a_network():
    folder = Path(__file__).parents[1] / "golden" / "rolled"
    assert {path.name for path in folder.iterdir()} == {f"{n.__name__}.py" for n in NETWORKS}


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.__name__)
def test_a_rolled_network_has_the_gradient_of_its_graph(network):
    root, inputs = network()
    root.backward()
    values = [x for tree in inputs.values() for x in flatten(tree)]
    found = run(compiled(network, cache=False).value_and_grad, [x.data for x in values])
    assert found == pytest.approx([root.data, *(x.grad for x in values)], rel=1e-12)


# --- the structure is the key ----------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A cache directory of the test's own, and no code known from tests before it."""
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    structure._known.clear()
    return tmp_path


def machine(function):
    """The machine code of the gradient."""
    return function.value_and_grad._build().machine


def used(function):
    """Was it found in the cache, was it compiled?"""
    stats = machine(function).stats
    return sum(stats.cache_hits.values()), sum(stats.cache_misses.values())


def point_of(network, *args):
    root, inputs = network(*args)
    root.backward()
    trees = list(inputs.values())
    expected = [root.data, *(x.grad for tree in trees for x in flatten(tree))]
    return trees, expected


def plain(tree):
    return [plain(part) for part in tree] if isinstance(tree, list) else tree.data


def result(function, network, *args):
    trees, expected = point_of(network, *args)
    value, gradient = function.value_and_grad(*map(plain, trees))
    assert [value, *(x for part in gradient for x in flatten(part))] == pytest.approx(
        expected, rel=1e-11
    )


def test_graphs_of_one_structure_share_their_code(folder):
    first, second, other = (compiled(mlp, rows, data) for rows, data in ((6, 1), (6, 2), (7, 1)))
    result(first, mlp, 6, 1)
    result(second, mlp, 6, 2)
    assert first.source == second.source != other.source
    assert machine(first) is machine(second) is not machine(other)
    assert len(list(folder.glob("*.structure"))) == 2
    result(first, mlp, 6, 1)  # it still has its own data


def test_a_constant_of_the_formula_is_structure(folder):
    def loss(power):
        xs = [Value(0.1 * k + 0.2) for k in range(8)]
        return gdc.compile(sum((x**power).tanh() * 0.5 for x in xs), [xs], roll=True, name="f")

    assert loss(2.0).source != loss(3.0).source


@pytest.mark.slow
def test_another_process_shares_them_too(folder, run_python):
    code = "import json\nfrom tests.roll.test_roll import compiled, mlp, result, used\n" + (
        "f = compiled(mlp, 6, {0})\nresult(f, mlp, 6, {0})\nprint(json.dumps(used(f)))"
    )
    env = {VARIABLE: str(folder)}
    assert json.loads(run_python(code.format(1), **env)) == [0, 1]
    assert json.loads(run_python(code.format(2), **env)) == [1, 0]


@pytest.mark.parametrize("damage", [b"", b"\0" * 40, b"{}"], ids=["empty", "zeros", "short"])
def test_a_damaged_structure_is_made_anew(folder, damage):
    good = compiled(rnn).source
    (path,) = folder.glob("*.structure")
    content = path.read_bytes()
    for wrong in (damage, content[:-1], content[:50] + b"x" + content[51:], content[::-1]):
        path.write_bytes(wrong)
        structure._known.clear()
        assert compiled(rnn).source == good
        assert path.read_bytes() == content


def test_a_structure_under_another_name_is_not_trusted(folder):
    compiled(mlp, 6).source  # noqa: B018
    (path,) = folder.glob("*.structure")
    good = compiled(mlp, 7).source
    (other,) = set(folder.glob("*.structure")) - {path}
    other.write_bytes(path.read_bytes())
    structure._known.clear()
    assert compiled(mlp, 7).source == good


# --- Ctrl-C ----------------------------------------------------------------------------------


def squashed():
    """What is compiled in little time."""
    xs = leaves(random.Random(0), 6)
    return sum((x * x).tanh() for x in xs), {"x": xs}


@pytest.mark.parametrize(
    "place",
    ["gradcompile.compiler.strategies.roll", "gradcompile.compiler.strategies.emit_nests",
     "gradcompile.compiler.code.save", "gradcompile.support.files.os.replace",
     "gradcompile.jit.KernelCache.save_overload"],
)  # fmt: skip
def test_an_interrupt_leaves_no_broken_entry(folder, monkeypatch, place):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    # A name of its own: a module that another test has loaded has machine code elsewhere.
    name = f"interrupted_at_{place.rpartition('.')[2]}"
    function = compiled(squashed, name=name)
    with monkeypatch.context() as patch:
        patch.setattr(place, interrupt)
        with pytest.raises(KeyboardInterrupt):
            result(function, squashed)
    assert gc.isenabled()
    assert {path.suffix for path in folder.iterdir()} <= {".structure", ".py", ".machine"}
    result(function, squashed)
    result(compiled(squashed, name=name), squashed)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0])
def test_a_real_interrupt_leaves_no_broken_entry(folder, new_process, run_python, seconds):
    code = (
        "from tests.roll.test_roll import compiled, rnn, result\n"
        "print('begins', flush=True)\nresult(compiled(rnn, 8), rnn, 8)"
    )
    process = new_process(code, **{VARIABLE: str(folder)})
    assert process.stdout.readline() == "begins\n"
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
    assert {path.suffix for path in folder.iterdir()} <= {".structure", ".py", ".machine"}
    run_python(code, **{VARIABLE: str(folder)})


# --- labels, nan and inf, depth --------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 5])
def test_labels_are_data_in_rolled_code(count):
    xs = [Value(0.5 + 0.01 * k, label) for k, label in enumerate(HOSTILE * count)]
    total = 0.0
    for label, x in zip(reversed(HOSTILE * count), xs, strict=True):
        y = x.sin() * x
        y.label = label
        z = (y * y + x).tanh()
        z.label = label
        total += z * y
    total.label = HOSTILE[0]
    kernel = gdc.compile(total, xs, roll=True, cache=False).value_and_grad
    tree = ast.parse(kernel.source)
    calls = {ast.unparse(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    allowed = {"sin", "cos", "tanh", "empty", "scratch", "range", "reshape"}
    assert {call.split(".")[-1] for call in calls} <= allowed
    assert not any(isinstance(n, ast.Import) for n in ast.walk(tree))
    total.backward()
    found = run(kernel, [x.data for x in xs])
    assert found == pytest.approx([total.data, *(x.grad for x in xs)], rel=1e-12)


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_on_everything(label):
    xs = [Value(0.1 * k, label) for k in range(6)]
    ys = [x.exp() * x for x in xs]
    total = sum(y.tanh() for y in ys)
    for y in (*ys, total):
        y.label = label
    f = gdc.compile(total, {label: xs}, name=label or None, roll=True, cache=False)
    total.backward()
    found = run(f.value_and_grad, [x.data for x in xs])
    assert found == pytest.approx([total.data, *(x.grad for x in xs)], rel=1e-12)


@pytest.mark.parametrize(
    "special",
    slow_but([math.nan, -math.inf], [math.nan, math.inf, -math.inf, 1e300, -0.0]),
)
def test_nan_and_inf_are_honoured(special):
    """In data as in inputs; and by machine code, whose sums may be added in another order."""
    rng = random.Random(0)
    w = leaves(rng, 8)

    def loss(rows):
        return sum((dot(w, row).tanh() + gdc.reciprocal(row[0])) * row[1] for row in rows)

    rows = numbers(rng, 9, 8)
    at = [x.data for x in w]
    for row, column in ((3, 2), (4, 0), (5, 1)):
        changed = [list(x) for x in rows]
        changed[row][column] = special
        kernel = gdc.compile(loss(changed), {"w": w}, roll=True, name="special").value_and_grad
        expected = flat(interpret(kernel.program, at))
        assert run(kernel, at) == pytest.approx(expected, rel=1e-12, nan_ok=True)
    for position in (None, *range(8)):
        moved = [special if k == position else x for k, x in enumerate(at)]
        expected = flat(interpret(kernel.program, moved))
        found = flat(kernel._build().run(np.array(moved)))
        assert found == pytest.approx(expected, rel=1e-12, nan_ok=True)


def long_chain(length):
    x, w = Value(0.7, "x"), Value(1.3, "w")
    y = x
    for _ in range(length):
        y = (y * w).sin()
    return y, [x, w]


def long_sum(length):
    x = Value(0.7, "x")
    return sum(x * (0.001 * k) for k in range(length)), [x]


def long_tree(length):
    xs = [Value(0.001 * k) for k in range(500)]
    return balanced([xs[k % 500] * xs[k // 500] for k in range(length)]), [xs]


@pytest.mark.parametrize(
    ("make", "length"),
    [(long_chain, 1_500), (long_sum, 2_000), (long_tree, 2_000),
     pytest.param(long_chain, 100_000, marks=pytest.mark.slow),
     pytest.param(long_sum, 200_000, marks=pytest.mark.slow),
     pytest.param(long_tree, 200_000, marks=pytest.mark.slow)],
)  # fmt: skip
def test_depth_has_no_limit(make, length):
    root, inputs = make(length)
    kernel = gdc.compile(root, inputs, roll=True, cache=False).value_and_grad
    assert kernel.source.count("\n") < 60
    at = [x.data for x in flatten(inputs)]
    found = python_of(kernel)(at)
    assert flat(found) == pytest.approx(flat(interpret(kernel.program, at)), rel=1e-9)


def test_a_component_with_a_name_of_its_own_is_written_to_the_gradient():
    weights = {name: [Value(0.1 * k + 0.3) for k in range(6)] for name in ("w", "u")}
    bias = Value(0.7)
    loss = sum((w * u + bias).tanh() for w, u in zip(*weights.values(), strict=True))
    kernel = gdc.compile(loss, {"bias": bias, **weights}, roll=True, cache=False).value_and_grad
    at = [bias.data, *(x.data for tree in weights.values() for x in tree)]
    loss.backward()
    expected = [bias.grad, *(x.grad for tree in weights.values() for x in tree)]
    assert run(kernel, at) == pytest.approx([loss.data, *expected], rel=1e-12)


def test_a_gradient_by_some_arguments_bears_their_names():
    weights = {name: [Value(0.1 * k + 0.3) for k in range(6)] for name in ("w", "u")}
    loss = sum((w * u).tanh() for w, u in zip(*weights.values(), strict=True))
    source = gdc.compile(loss, weights, wrt="u", roll=True, cache=False).source
    assert "u_bar" in source
    assert "w_bar" not in source


@pytest.mark.slow
def test_groups_of_ten_thousand_members_read_what_they_should():
    weights = [Value(0.1 * k - 0.3) for k in range(8)]
    rows = [math.sin(k) for k in range(1300)]
    hidden = [[(w * x + 0.5).tanh() for w in weights] for x in rows]
    root = sum(sum(h * h * w for h, w in zip(row, weights, strict=True)) for row in hidden)
    function = gdc.compile(root, inputs={"w": weights}, cache=False)
    build = function.value_and_grad._build()
    assert build.code.rolled["members"] > 10_000
    assert build.code.rolled["gathers"] == 0
    root.backward()
    value, *gradient = run(function.value_and_grad, [w.data for w in weights])
    assert value == pytest.approx(root.data, rel=1e-12)
    assert gradient == pytest.approx([w.grad for w in weights], rel=1e-12)
