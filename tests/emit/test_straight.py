"""Emitted Python: golden files, what holds for any text, and IEEE-754 under CPython.

The golden files are what a person should read; `pytest tests/emit --update-golden` rewrites them,
and the difference is then to be read like any other change.
"""

import ast
import math
import random
import re
from pathlib import Path

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.emit.layout import emitted_names
from gradcompile.emit.straight import emit
from gradcompile.ir.interpret import interpret
from gradcompile.ir.program import Const, Instruction, Program, Var
from gradcompile.ops import table
from gradcompile.ops.op import CONDITIONS
from gradcompile.ops.table import TABLE
from tests.helpers.engines import Subject, emitted, flat, python, same
from tests.helpers.flat import (
    by_number,
    emit_flat,
    emit_kernel,
    of_flat,
    python_of,
    signature_of,
)
from tests.helpers.programs import deadline, random_recipe
from tests.helpers.slow import slow_but

GOLDEN = Path(__file__).parents[1] / "golden"


# --- golden files ----------------------------------------------------------------------------


def neuron():
    """The neuron of the lecture, with its names."""
    x1, x2, w1, w2, b = (Value(1.0, name) for name in ("x1", "x2", "w1", "w2", "b"))
    n = x1 * w1 + x2 * w2 + b
    n.label = "n"
    o = n.tanh()
    o.label = "o"
    return o, [x1, x2, w1, w2, b]


def expression():
    """The first expression of the lecture, every step named."""
    a, b, c, f = (Value(1.0, name) for name in "abcf")
    e = a * b
    e.label = "e"
    d = e + c
    d.label = "d"
    L = d * f
    L.label = "L"
    return L, [a, b, c, f]


def long_sum():
    """More inputs than fit into one statement."""
    xs = [Value(1.0, f"x{index}") for index in range(20)]
    total = sum((x * (index + 0.5) for index, x in enumerate(xs)), Value(0.0))
    return (total.tanh() - 1.0) ** 2, xs


def choices():
    """Branches, and what must not leak out of them."""
    x, y = Value(1.0, "x"), Value(1.0, "y")
    return gdc.where(x > y, x.log(), 0.0) + gdc.maximum(x, y) * y.relu(), [x, y]


def reused():
    """A subexpression that both sweeps use several times."""
    x, y = Value(1.0, "x"), Value(1.0, "y")
    s = (x * y).exp()
    return s * s + s.sin() / s, [x, y]


def parts():
    """Text in parts; here they have four statements at most."""
    a, b, c = (Value(1.0, name) for name in "abc")
    s, t = a * b, b * c
    s.label, t.label = "s", "t"
    u = (s + t).tanh()
    u.label = "u"
    v = u * s.exp() + t
    v.label = "v"
    w = v * u + v.sin() * c
    w.label = "w"
    return w * w, [a, b, c]


LIMITS = {parts: 4}

CASES = [neuron, expression, long_sum, choices, reused, parts]


def source_of(case):
    root, inputs = case()
    function = gdc.compile(root, inputs=inputs, name=case.__name__, roll=False, cache=False)
    if case not in LIMITS:
        return function.source
    summary = ast.get_docstring(ast.parse(function.source).body[-1])
    name = f"{case.__name__}_value_and_grad"
    return emit_kernel(function.value_and_grad, name, summary, limit=LIMITS[case])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_text_is_the_golden_one(case, request):
    path = GOLDEN / f"{case.__name__}.py"
    source = source_of(case)
    if request.config.getoption("--update-golden"):
        path.write_text(source, encoding="utf-8")
    assert source == path.read_text(encoding="utf-8")


def test_there_is_no_golden_file_without_a_case():
    assert {path.stem for path in GOLDEN.glob("*.py")} == {case.__name__ for case in CASES}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_the_golden_text_computes_value_and_gradient(case):
    root, inputs = case()
    rng = random.Random(0)
    at = [rng.uniform(0.5, 1.5) for _ in inputs]
    names = {}
    exec((GOLDEN / f"{case.__name__}.py").read_text(encoding="utf-8"), names)
    kernel = gdc.compile(root, inputs=inputs, name=case.__name__, cache=False).value_and_grad
    run = of_flat(names[f"{case.__name__}_value_and_grad"], signature_of(kernel))
    value, *gradient = run(at)
    for x, number in zip(inputs, at, strict=True):
        x.data = number
    again = evaluated(root)
    again.backward()
    assert value == pytest.approx(again.data, rel=1e-14)
    assert gradient == pytest.approx([x.grad for x in inputs], rel=1e-12)


def evaluated(root):
    """The graph with the numbers that its leaves have now."""
    from gradcompile.graph.value import topological

    for value in topological(root):
        if value.op is not None:
            value.data = value.op.evaluate(*[x.data for x in value.operands])
    return root


def test_the_neuron_reads_like_the_lecture():
    lines = [line for line in source_of(neuron).splitlines() if line.strip()]
    body = lines[next(i for i, line in enumerate(lines) if line.startswith("def")) :]
    assert len(body) <= 15
    assert "    n_bar = 1.0 - o * o" in "\n".join(body)


def test_an_expression_that_is_its_own_slope_keeps_its_place():
    function = gdc.compile(lambda x: gdc.exp(x), cache=False)
    source = function.source
    assert 0 < source.index("value = exp(x)") < source.index("# reverse sweep")
    assert "    x_bar = value  # value = exp(x)\n" in source


# --- what holds for any text -------------------------------------------------------------------

COUNT = 150


def random_sources():
    for number in range(COUNT):
        subject = Subject(random_recipe(random.Random(f"emit {number}"), 12))
        summary = "f(x0, x1, x2): the value and the gradient"
        yield subject, emit(*by_number(subject.gradient), "f", summary)


@pytest.fixture(scope="module")
def sources():
    return list(random_sources())


def functions_of(source):
    return [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]


def stores(source):
    return [
        node.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def test_it_is_one_function_and_imports(sources):
    for _, source in sources:
        assert len(functions_of(source)) == 1
        kinds = {type(node) for node in ast.parse(source).body}
        assert kinds <= {ast.ImportFrom, ast.FunctionDef}
        imported = [n.module for n in ast.parse(source).body if isinstance(n, ast.ImportFrom)]
        assert set(imported) <= {"gradcompile.ieee", "math", "numpy"}
        assert len(imported) == len(set(imported))
        assert source.endswith("\n")
        assert "\t" not in source
        assert all(line == line.rstrip() for line in source.splitlines())


def test_every_name_is_assigned_once_and_before_it_is_read(sources):
    for _, source in sources:
        names = stores(source)
        assert len(names) == len(set(names)), source
        known = set(vars(__import__("builtins"))) | {"x0", "x1", "x2"}
        known |= {a.name for n in ast.walk(ast.parse(source)) if isinstance(n, ast.ImportFrom)
                  for a in n.names}  # fmt: skip
        for statement in functions_of(source)[0].body:
            for node in ast.walk(statement):
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                    assert node.id in known, source
            known |= {n.id for n in ast.walk(statement)
                      if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}  # fmt: skip


def test_everything_assigned_or_imported_is_read(sources):
    for _, source in sources:
        tree = ast.parse(source)
        read = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)
                and isinstance(n.ctx, ast.Load)}  # fmt: skip
        imported = {a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
        assert imported <= read, source
        assert set(stores(source)) <= read, source


def is_number(node, *numbers):
    return isinstance(node, ast.Constant) and node.value in numbers


def is_negation(node):
    return isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)


def test_there_are_no_idle_factors_and_terms(sources):
    for _, source in sources:
        for node in ast.walk(ast.parse(source)):
            assert not (is_negation(node) and is_negation(node.operand)), source
            if isinstance(node, ast.BinOp):
                sides = (node.left, node.right)
                if isinstance(node.op, ast.Mult):
                    assert not any(is_number(side, 1.0) for side in sides), source
                if isinstance(node.op, ast.Add):
                    assert not any(is_number(side, 0.0) for side in sides), source
                if isinstance(node.op, ast.Sub):
                    assert not is_number(node.right, 0.0), source
                if isinstance(node.op, ast.Div):
                    assert not is_number(node.right, 1.0), source


def test_lines_can_be_read(sources):
    for _, source in sources:
        for line in source.splitlines():
            assert len(line) <= 100, line
            expression = line.split("  #")[0]
            assert nesting(expression) <= 8, line


def nesting(line):
    deepest = depth = 0
    for character in line:
        depth += (character in "([") - (character in ")]")
        deepest = max(deepest, depth)
    return deepest


def test_every_adjoint_statement_names_a_forward_statement(sources):
    for _, source in sources:
        lines = [line.strip() for line in source.splitlines()]
        if "# reverse sweep" not in lines:
            continue
        middle = lines.index("# reverse sweep")
        forward = lines[lines.index("# forward sweep") + 1 : middle]
        names = {line.split(" = ")[0] for line in forward}
        for line in lines[middle + 1 :]:
            if "#" in line:
                comment = line.split("#", 1)[1].strip()
                assert comment in forward or names_in(comment) <= names, (line, source)
            else:
                assert line.startswith(("return", "gradient")), (line, source)


def names_in(comment):
    return set(re.sub(r" and \d+ more$", "", comment).split(", "))


def test_sweeps_come_in_order_and_once(sources):
    for _, source in sources:
        assert source.count("# reverse sweep, from") <= 1
        before, _, after = source.partition("# reverse sweep, from")
        assert "_bar" not in before.partition('"""')[0]
        assert "_bar" in after or not after


def test_the_same_program_gives_the_same_text():
    recipe = random_recipe(random.Random(1), 12)
    assert emit_flat(Subject(recipe).gradient) == emit_flat(Subject(recipe).gradient)


def test_long_arrays_are_filled_as_they_are_made():
    xs = [Value(1.0, f"x{index}") for index in range(40)]
    root = sum((x.sin() for x in xs[:39]), Value(0.0))
    function = gdc.compile(root, inputs=xs[:39], roll=False, cache=False)
    assert "gradient = empty(39)" in function.source
    assert "return value, (gradient,)" in function.source
    found = python_of(function.value_and_grad)(np.arange(39.0))[1]
    assert found.tolist() == pytest.approx([math.cos(x) for x in range(39)], rel=1e-15)


def test_many_terms_and_deep_nesting_are_split():
    x = Value(1.0, "x")
    root = x
    for _ in range(30):
        root = (root.sin() + 1.0).exp() / 3.0
    source = gdc.compile(root, inputs=[x], cache=False).source
    assert max(map(len, source.splitlines())) <= 100
    assert max(map(nesting, source.splitlines())) <= 8


# --- numbers as text ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "number",
    [-2.0, -0.0, 0.1, 1e300, -1e-300, 5e-324, math.inf, -math.inf, math.nan, 1 / 3, 123456789.0],
)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "pow", "maximum"])
def test_constants_read_back_as_the_number_they_are(op, number):
    x, y = Var("x"), Var("y")
    for operands in ((x, Const(number)), (Const(number), x)):
        program = Program("f", (x,), (Instruction(y, TABLE[op], operands),), (y,))
        for at in (0.5, -2.0, math.nan):
            assert same(python(program)([at]), flat(interpret(program, [at])))


def test_parentheses_are_those_of_the_program():
    names = [Var(name) for name in "abc"]
    binary = [op for op in TABLE.values() if op.arity == 2 and op.name in
              ("add", "sub", "mul", "div", "pow", "greater", "equal")]  # fmt: skip
    for outer in binary:
        for inner in binary:
            for place in (0, 1):
                t, y = Var(), Var()
                operands = (t, names[2]) if place == 0 else (names[2], t)
                rows = (Instruction(t, inner, tuple(names[:2])), Instruction(y, outer, operands))
                program = Program("f", tuple(names), rows, (y,))
                at = (2.0, 3.0, 5.0)
                assert same(python(program)(at), flat(interpret(program, at)))


# --- labels ----------------------------------------------------------------------------------

HOSTILE = [
    "x; import os", "class", "match", "é", "", " ", "x" * 10_000, "<b>", "a b", "2nd", "_", "__",
    "v1", "value", "inputs", "gradient", "f", "float64", "array", "exp", "np", "math", "inf", "nan",
    "None", "True", "print", "__import__('os').system('false')", "x\n    import os", "#", "\\", "'",
    '"""', "x_bar", "x_bar", "x\u0301", "\u202ex", "𝔵", "ﬁ", "ⅷ", "²", "\ud800", "x\x00y", "self",
    "λ", "变量", "🙂", "def", "lambda x: x", "%s", "{x}", "inputs[0]", "f_value_and_grad",
]  # fmt: skip


def test_labels_are_data():
    leaves = [Value(0.5 + 0.1 * k, label) for k, label in enumerate(HOSTILE)]
    inner = []
    for label, x in zip(reversed(HOSTILE), leaves, strict=True):
        y = x.sin() * x
        y.label = label
        inner.append(y)
    root = sum(inner[1:], inner[0]).tanh()
    function = gdc.compile(root, inputs=leaves, roll=False, cache=False)
    source = function.source
    allowed = {"sin", "cos", "tanh", "empty"}
    calls = {ast.unparse(n.func) for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)}
    assert calls <= allowed
    names = stores(source)
    assert len(names) == len(set(names))
    assert not any(isinstance(n, ast.Import | ast.Attribute) for n in ast.walk(ast.parse(source)))
    assert max(len(name) for name in names) < 60
    assert not set(names) & (emitted_names() | {"inputs"})
    at = [x.data for x in leaves]
    root.backward()
    value, gradient = python_of(function.value_and_grad)(at)
    assert value == pytest.approx(root.data, rel=1e-13)
    assert gradient.tolist() == pytest.approx([x.grad for x in leaves], rel=1e-12)


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_alone(label):
    x = Value(0.5, label)
    y = x.exp() + x
    y.label = label
    function = gdc.compile(y.tanh(), inputs=[x], name=label or None, cache=False)
    value, gradient = python_of(function.value_and_grad)([0.5])
    y.tanh().backward()
    assert value == math.tanh(y.data)
    assert gradient[0] == pytest.approx(x.grad, rel=1e-14)


# --- IEEE-754 under CPython ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 1.0 / gdc.where(x > 0.0, 2.0, 0.0),
        lambda x: gdc.where(x > 0.0, 2.0, 0.0) ** -1.0,
        lambda x: gdc.where(x > 0.0, -2.0, 10.0) ** 1000.5,
        lambda x: 1.0 / gdc.relu(x),
        lambda x: gdc.relu(x) / gdc.relu(x),
        lambda x: 1.0 / (1.0 + gdc.sign(x)),
        lambda x: 1.0 / gdc.sign(x),
        lambda x: 1.0 / gdc.maximum(x, 0.0),
        lambda x: 1.0 / gdc.minimum(gdc.abs(gdc.where(x > 0.0, -3.0, 0.0)), 5.0),
        lambda x: 1.0 / (x > 0.0),
        lambda x: gdc.log(gdc.where(x > 0.0, 1.0, 0.0)) * 2.0,
        lambda x: 1.0 / gdc.copysign(0.0, x),
        lambda x: 1.0 / gdc.clip(x, 0.0, 0.0),
        lambda x: (gdc.relu(x) - 1e300) ** 3.0,
        lambda x: gdc.exp(gdc.relu(x) * 1e5) / gdc.exp(gdc.relu(x) * 1e5),
    ],
)
def test_no_path_to_a_plain_float_raises(function):
    compiled = gdc.compile(function, cache=False)
    for at in (-1.0, 0.0, -0.0, 1.0, 1e300, math.inf, -math.inf, math.nan):
        value, gradient = python_of(compiled.value_and_grad)([at])
        expected = flat(interpret(compiled.program, [at]))
        assert same([value, *gradient], expected), at


def operands_for(op, first, rng):
    """`first`, and constants for the other operands."""
    rest = [Const(rng.choice((0.0, -1.0, 0.5, 1e200))) for _ in op.operand_names[1:]]
    if op.name == "polygamma":
        rest = [Const(1.0)]
    return (first, *rest)


@pytest.mark.parametrize("step", slow_but([5], [5, 1]))
def test_every_operation_on_what_every_other_may_return(step):
    # Written into one statement, and through a name: either may be a plain float in CPython.
    rng = random.Random(0)
    x = Var("x")
    for consumer in [*TABLE.values()][::step]:
        rows, results = [], []
        for producer in TABLE.values():
            for named in (False, True):
                middle, result = Var("t" if named else ""), Var()
                first = Const(rng.choice((0.0, -2.0))) if rng.random() < 0.3 else x
                rows.append(Instruction(middle, producer, operands_for(producer, first, rng)))
                rows.append(Instruction(result, consumer, operands_for(consumer, middle, rng)))
                results.append(result)
        program = Program("f", (x,), tuple(rows), (tuple(results),))
        run = python(program)
        for at in (-1.0, 0.0, 2.0, math.nan):
            with deadline(10):
                found, expected = run([at]), flat(interpret(program, [at]))
            wrong = [
                (producer, a, b)
                for producer, a, b in zip(
                    [op.name for op in TABLE.values() for _ in range(2)],
                    found, expected, strict=True,
                )
                if not same([a], [b])
            ]  # fmt: skip
            assert not wrong, (consumer.name, at)


def test_conditions_are_read_as_conditions():
    def f(x, y):
        both = gdc.logical_and(x > 0.0, y)
        either = gdc.logical_or(both, gdc.logical_not(y > 1.0))
        return gdc.where(either, x, y) + both * 2.0 + either

    program = gdc.compile(f, cache=False).value.program
    for at in ((1.0, 2.0), (-1.0, 2.0), (1.0, 0.0), (1.0, math.nan), (math.nan, 0.5), (2.0, -3.0)):
        assert same(python(program)(at), flat(interpret(program, at))), at


def test_a_value_that_both_branches_read_passes_its_slope_on_without_a_test():
    def f(x, y):
        return gdc.where(x > y, x * y * (x * y), gdc.sqrt(x * y))

    function = gdc.compile(f, cache=False)
    assert function.value_and_grad(2.0, 1.0) == (4.0, (4.0, 8.0))
    assert "x_bar = v2_bar * y\n" in function.source
    assert "bool" not in function.source


def conditions(x, y):
    """Choose and choose again, by comparisons that several statements read."""
    z = x * y
    c, d = x > y, x > 0
    inner = gdc.where(d | (x < y), gdc.where(c, gdc.exp(x), y * z), gdc.sqrt(z))
    outer = gdc.where(c & d, z * z, inner)
    return outer + gdc.where(~c | d & (z > 1), z, x * z) * gdc.where(c & d, x, y)


@pytest.mark.parametrize("limit", [100, 2])
def test_conditions_stay_conditions_in_one_text_and_numbers_between_its_parts(limit):
    kernel = gdc.compile(conditions, cache=False).value_and_grad
    source = emit_kernel(kernel, "g", "", limit=limit)
    assert "bool(" not in source
    names = {}
    exec(source, names)
    for at in ((1.0, 2.0), (2.0, 1.0), (-1.0, -2.0), (-2.0, 1.0), (1.0, -3.0), (1.0, 1.0)):
        value, gradient = names["g"](*map(np.float64, at))
        expected, slopes = kernel(*at)
        assert same([value, *gradient], [expected, *slopes]), at


def test_powers_and_quotients_of_what_functions_return_are_as_the_user_wrote_them():
    def f(a):
        h = gdc.maximum(a, 0.0)
        return h**3 + 1 / h

    function = gdc.compile(f, cache=False)
    assert "float64" not in function.source
    for at in (2.0, 0.0, -1.0, 1e200):
        assert same([function(at)], [function.value.python(at)]), at
    assert function.value.python(-1.0) == function.value.python(1e200) == math.inf


def test_emitted_modules_need_nothing_else():
    source = gdc.compile(lambda x: gdc.tanh(x) * gdc.where(x > 0, x, 1.0), cache=False).source
    names = {}
    exec(source, names)
    assert names["f_value_and_grad"](0.5)[0] == math.tanh(0.5) * 0.5


def test_conditions_of_the_table_have_condition_names():
    # Emission writes a comparison instead of its number only where a condition is expected.
    assert set(table.logical_and.operand_names + table.where.operand_names[:1]) <= set(CONDITIONS)
    assert callable(emitted(Program("f", (Var("x"),), (), (Const(1.0),))))


def test_what_one_statement_of_the_reverse_sweep_hands_on_needs_no_name():
    f = gdc.compile(lambda a: gdc.exp(gdc.sin(a) * 2.0), cache=False)
    assert "    value = exp(sin(a) * 2.0)\n" in f.source


# --- names of the user's -------------------------------------------------------------------------


def late(x, y):
    """Make `v1` after values that have no name."""
    s = gdc.tanh(x * y * (x * y))
    v1 = s * y + x * y * gdc.exp(x * y)
    return (v1 * v1).sum() if isinstance(v1, np.ndarray) else v1 * v1 * v1


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        ((1.0, 2.0), {}),
        ((np.ones(20), np.ones(20)), {"roll": True}),
        ((1.0, np.ones(3)), {"batched": "y"}),
    ],
)
def test_a_variable_keeps_its_name_where_values_without_one_are_numbered(arguments, options):
    function = gdc.compile(late, cache=False, **options)
    function.value_and_grad(*arguments)
    lines = [line.strip() for line in function.source.splitlines()]
    assigned = [line for line in lines if re.match(r"v1(\[\w+\])? = (?!scratch|block)", line)]
    assert len(assigned) == 1
    assert re.search(r"\bs\b.* \+ ", assigned[0])


def test_a_variable_called_v_keeps_its_name_in_loops():
    def f(x):
        v = gdc.tanh(x)
        return (v * v).sum()

    function = gdc.compile(f, cache=False, roll=True)
    function.value_and_grad(np.ones(20))
    assert "v[i] = tanh(x[i])" in function.source


def test_an_argument_that_is_bound_again_gets_a_number_and_so_does_its_adjoint():
    def swap(a, b):
        a, b = b * 2, a * 3
        return a * a * b

    function = gdc.compile(swap, cache=False)
    assert function.value_and_grad(1.0, 2.0) == (48.0, (48.0, 48.0))
    lines = [line.strip() for line in function.source.splitlines()]
    assert "a_2 = b * 2.0" in lines
    assert any(line.startswith("a_2_bar = ") for line in lines)
    assert any(line.startswith("b_bar = a_2_bar * 2.0") for line in lines)


@pytest.mark.parametrize(
    ("label", "adjoints"),
    [("c", "x1_0_bar, x1_1_bar, c_bar"), ("x1_1", "x1_0_bar, x1_1__bar, x1_1_bar")],
)
def test_the_adjoint_of_an_element_has_a_name_like_the_others(label, adjoints):
    a, b, c = Value(0.5), Value(0.6), Value(0.7, label)
    loss = (a * b + c).tanh() * a * c
    function = gdc.compile(loss, inputs=[[a, b, c]], cache=False, roll=False)
    assert f"return value, (array([{adjoints}]),)" in function.source
    assert function.verify().ok


@pytest.mark.parametrize("roll", [False, True])
def test_the_adjoint_of_an_argument_with_a_name_of_pythons_has_one_underscore(roll):
    def f(len, y):
        return (gdc.tanh(len * y) * y).sum()

    function = gdc.compile(f, wrt="len", cache=False, roll=roll)
    function.value_and_grad(np.ones(3), np.ones(3))
    assert "len_bar = empty(3)" in function.source
    assert "__" not in function.source
    assert function.verify().ok
