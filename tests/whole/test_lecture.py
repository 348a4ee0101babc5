"""The lecture "building micrograd", step by step: eagerly as it does it, and compiled.

The numbers are those of the lecture. Compiled means three engines: the interpreter, the emitted
Python, and machine code.
"""

import ast
import html
import inspect
import math
import random
import re

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, nn
from gradcompile.ops.table import TABLE

NEURON = {"x1": 2.0, "x2": 0.0, "w1": -3.0, "w2": 1.0, "b": 6.8813735870195432}
O = 0.7071067811865476  # noqa: E741  (as the lecture calls it)
SLOPES = {"x1": -1.5, "x2": 0.5, "w1": 1.0, "w2": 0.0, "b": 0.5}


def close(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-15)


def check(every_engine, function, inputs, value, gradient):
    """Calls `function` and requires the same value and gradient from every compiled engine."""
    called, grads = function.value_and_grad(*inputs)
    assert called == close(value)
    assert list(grads) == close(gradient)
    assert function(*inputs) == close(value)
    assert list(function.grad(*inputs)) == close(gradient)
    for engine, (found, slopes) in every_engine(function, inputs).items():
        assert found == close(value), engine
        assert slopes == close(gradient), engine


def body(source):
    """The lines of the emitted function, without its `def` line."""
    (function,) = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    return source.splitlines()[function.lineno : function.end_lineno]


def sweeps(source):
    """The statements of the two sweeps, as {name: expression}."""
    forward, reverse = re.split("# reverse sweep.*\n", source.split('"""')[2])

    def statements(text):
        lines = [line.split("#")[0].strip() for line in text.splitlines()]
        pairs = [line.split(" = ") for line in lines if " = " in line]
        return {name: expression for name, expression in pairs}  # noqa: C416  (pairs of two)

    return statements(forward), statements(reverse)


# --- step 1: an expression graph, its value, its gradient ----------------------------------------


def readme(a, b):
    """The example that the lecture opens with, from micrograd's README."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def test_step_1_what_micrograd_is_eager():
    a, b = Value(-4.0), Value(2.0)
    g = readme(a, b)
    g.backward()
    assert [round(x, 4) for x in (g.data, a.grad, b.grad)] == [24.7041, 138.8338, 645.5773]


def test_step_1_what_micrograd_is_compiled(every_engine):
    f = gdc.compile(readme)
    f.value_and_grad(-4.0, 2.0)
    for engine, (value, gradient) in every_engine(f, (-4.0, 2.0)).items():
        rounded = [round(x, 4) for x in (value, *gradient)]
        assert rounded == [24.7041, 138.8338, 645.5773], engine


# --- step 2: the derivative of a function of one input -------------------------------------------


def parabola(x):
    return 3 * x**2 - 4 * x + 5


@pytest.mark.parametrize(("x", "value", "slope"), [(3.0, 20.0, 14.0), (2 / 3, 11 / 3, 0.0)])
def test_step_2_one_input_eager(x, value, slope):
    v = Value(x)
    f = parabola(v)
    f.backward()
    assert (f.data, v.grad) == (close(value), close(slope))


def test_step_2_one_input_compiled(every_engine):
    f = gdc.compile(parabola)
    check(every_engine, f, (3.0,), 20.0, [14.0])
    check(every_engine, f, (2 / 3,), 11 / 3, [0.0])
    h = 1e-6
    assert (f(3.0 + h) - f(3.0)) / h == pytest.approx(f.grad(3.0).x, rel=1e-6)


# --- step 3: a function of several inputs --------------------------------------------------------


def test_step_3_several_inputs(every_engine):
    a, b, c = Value(2.0), Value(-3.0), Value(10.0)
    d = a * b + c
    d.backward()
    assert [x.grad for x in (a, b, c)] == [-3.0, 2.0, 1.0]
    assert d.data == 4.0
    check(
        every_engine,
        gdc.compile(lambda a, b, c: a * b + c),
        (2.0, -3.0, 10.0),
        4.0,
        [-3.0, 2.0, 1.0],
    )


# --- steps 4, 5, 6: the first example ------------------------------------------------------------


def example_1():
    a = Value(2.0, label="a")
    b = Value(-3.0, label="b")
    c = Value(10.0, label="c")
    e = a * b
    e.label = "e"
    d = e + c
    d.label = "d"
    f = Value(-2.0, label="f")
    L = d * f
    L.label = "L"
    return {value.label: value for value in (a, b, c, e, d, f, L)}


HAND = {"L": 1.0, "d": -2.0, "f": 4.0, "e": -2.0, "c": -2.0, "a": 6.0, "b": -4.0}


@pytest.fixture(scope="module")
def example_1_compiled():
    nodes = example_1()
    return gdc.compile(nodes["L"], inputs=[nodes[name] for name in "abcf"])


def trace(root):
    """The lecture's own walk over the graph, on what micrograd calls `_prev`."""
    nodes, edges = set(), set()

    def build(v):
        if v not in nodes:
            nodes.add(v)
            for child in v._prev:
                edges.add((child, v))
                build(child)

    build(root)
    return nodes, edges


def test_step_4_the_value_object():
    nodes = example_1()
    L = nodes["L"]
    assert L.data == -8.0
    assert L._prev == {nodes["d"], nodes["f"]}
    assert (L._op, nodes["d"]._op, nodes["e"]._op, nodes["a"]._op) == ("*", "+", "*", "")
    found, edges = trace(L)
    assert {node.label for node in found} == set(HAND)
    assert {(a.label, b.label) for a, b in edges} == {
        ("a", "e"), ("b", "e"), ("e", "d"), ("c", "d"), ("d", "L"), ("f", "L"),
    }  # fmt: skip


def test_step_4_the_picture():
    nodes = example_1()
    nodes["L"].backward()
    picture = gdc.draw(nodes["L"])
    for label, value in nodes.items():
        shown = f"{{ {label} | data {value.data:.4f} | grad {HAND[label]:.4f} }}"
        assert shown in picture.source
    assert "data -8.0000" in html.unescape(picture.svg())
    assert nodes["L"]._repr_mimebundle_()["image/svg+xml"].count("<polygon") >= 1


def test_step_4_compiled(every_engine, example_1_compiled):
    check(every_engine, example_1_compiled, (2.0, -3.0, 10.0, -2.0), -8.0, [6.0, -4.0, -2.0, 4.0])
    assert gdc.draw(example_1_compiled).source.count("->") >= 6


def test_step_5_manual_backpropagation_eager():
    nodes = example_1()
    nodes["L"].backward()
    assert {name: node.grad for name, node in nodes.items()} == HAND


def test_step_5_the_lecture_calls_each_backward_itself():
    nodes = example_1()
    nodes["L"].grad = 1.0
    for name in "Lde":
        nodes[name]._backward()
    assert {name: node.grad for name, node in nodes.items()} == HAND


def test_step_5_the_emitted_reverse_sweep_is_the_hand_derivation(example_1_compiled):
    forward, reverse = sweeps(example_1_compiled.source)
    assert forward == {"e": "a * b", "d": "e + c", "L": "d * f"}
    # One statement for each derivative found by hand; dL/dL = 1 needs none.
    assert set(reverse) == {f"{name}_bar" for name in HAND if name != "L"}
    assert reverse["d_bar"] == "f"
    assert reverse["f_bar"] == "d"
    assert reverse["e_bar"] == reverse["c_bar"] == "d_bar"
    assert reverse["a_bar"] == "e_bar * b"
    assert reverse["b_bar"] == "e_bar * a"
    point = {"a": 2.0, "b": -3.0, "c": 10.0, "f": -2.0}
    for name, expression in [*forward.items(), *reverse.items()]:
        point[name] = eval(expression, {}, dict(point))
    for name in reverse:
        assert point[name] == HAND[name.removesuffix("_bar")], name


def test_step_5_each_adjoint_names_its_forward_statement(example_1_compiled):
    origins = {"d": "L", "f": "L", "e": "d", "c": "d", "a": "e", "b": "e"}
    forward, _ = sweeps(example_1_compiled.source)
    heading, found = "", {}
    for line in example_1_compiled.source.splitlines():
        statement, _, comment = line.strip().partition("#")
        name = statement.partition("_bar = ")[0]
        if not statement:
            heading = comment
        elif name in origins:
            found[name] = comment.strip() or heading.strip()
    assert found == {name: f"{user} = {forward[user]}" for name, user in origins.items()}


def test_step_6_one_optimization_step_eager():
    nodes = example_1()
    nodes["L"].backward()
    a, b, c, f = (nodes[name] for name in "abcf")
    for leaf in (a, b, c, f):
        leaf.data += 0.01 * leaf.grad
    assert ((a * b + c) * f).data == close(-7.286496)


def test_step_6_one_optimization_step_compiled(every_engine, example_1_compiled):
    point = [2.0, -3.0, 10.0, -2.0]
    example_1_compiled.value_and_grad(*point)
    for engine, (_, gradient) in every_engine(example_1_compiled, point).items():
        stepped = [x + 0.01 * slope for x, slope in zip(point, gradient, strict=True)]
        assert example_1_compiled(*stepped) == close(-7.286496), engine
        for other, (value, _) in every_engine(example_1_compiled, stepped).items():
            assert value == close(-7.286496), (engine, other)


# --- step 7: the second example, a neuron --------------------------------------------------------


def neuron(x1, x2, w1, w2, b):
    return gdc.tanh(x1 * w1 + x2 * w2 + b)


def neuron_by_exp(x1, x2, w1, w2, b):
    n = x1 * w1 + x2 * w2 + b
    e = (2 * n).exp()
    return (e - 1) / (e + 1)


def leaves():
    return {name: Value(x, label=name) for name, x in NEURON.items()}


def gradients(values):
    return {name: value.grad for name, value in values.items()}


@pytest.fixture(scope="module")
def compiled_neuron():
    return gdc.compile(neuron)


def test_step_7_a_neuron_eager():
    values = leaves()
    x1, x2, w1, w2, b = values.values()
    n = x1 * w1 + x2 * w2 + b
    o = n.tanh()
    o.backward()
    assert n.data == close(0.8813735870195432)
    assert o.data == close(O)
    assert n.grad == close(0.5)
    assert gradients(values) == close(SLOPES)


def test_step_7_a_neuron_compiled(every_engine, compiled_neuron):
    check(every_engine, compiled_neuron, tuple(NEURON.values()), O, list(SLOPES.values()))
    assert compiled_neuron.grad(**NEURON)._asdict() == close(SLOPES)
    assert compiled_neuron(*NEURON.values()) == pytest.approx(O, abs=math.ulp(O), rel=0)


def test_step_7_the_code_is_short_and_reads_like_the_derivation(compiled_neuron):
    lines = [line for line in body(compiled_neuron.source) if line.strip()]
    assert len(lines) <= 15
    forward, reverse = sweeps(compiled_neuron.source)
    assert next(iter(forward.values())) == "x1 * w1 + x2 * w2 + b"
    assert {f"{name}_bar" for name in NEURON} <= set(reverse)
    n_bar = next(iter(reverse))
    assert reverse["x1_bar"] == f"{n_bar} * w1"
    assert reverse["w1_bar"] == f"{n_bar} * x1"
    assert reverse["b_bar"] == n_bar


def test_step_7_the_code_is_one_runnable_module(compiled_neuron):
    namespace = {}
    exec(compile(compiled_neuron.source, "neuron.py", "exec"), namespace)
    value, gradient = namespace["neuron_value_and_grad"](*NEURON.values())
    assert value == close(O)
    assert list(gradient) == close(list(SLOPES.values()))
    function = inspect.getsource(compiled_neuron.value_and_grad.python)
    assert function in compiled_neuron.source


# --- step 8: a rule for each operation -----------------------------------------------------------


# The rows of the lecture and of a first course that have no kinks: at a kink the table has a slope
# where sympy has none.
PROVED = ("add", "sub", "mul", "div", "neg", "pow", "exp", "log", "sqrt", "tanh", "sigmoid", "sin",
          "cos", "where")  # fmt: skip


@pytest.mark.parametrize("name", [n for n, op in TABLE.items() if any(op.partials)])
def test_step_8_every_rule_is_that_of_sympy(name):
    op = TABLE[name]
    if op.arity == 1:
        f = gdc.compile(lambda a: op(a), name="f")
    elif op.arity == 2:
        f = gdc.compile(lambda a, b: op(a, b), name="f")
    elif name == "where":
        f = gdc.compile(lambda a, b: op(a > b, 3 * a, b * b), name="f")
    else:
        f = gdc.compile(lambda a, b: op(a, b - 3.0, b + 3.0), name="f")
    report = f.verify()
    assert report.ok, str(report)
    assert len(report) == min(op.arity, 2)
    if name in PROVED:
        assert [d.verdict for d in report] == ["proved"] * len(report), str(report)


# --- step 9: backward for a whole graph ----------------------------------------------------------


def chain(x, length):
    y = x
    for k in range(length):
        y = y + x if k % 2 else y * 1.0009765625
    return y


def test_step_9_a_graph_deeper_than_the_recursion_limit_eager():
    x = Value(1.0)
    y = chain(x, 50_000)
    y.backward()
    assert math.isfinite(y.data)
    assert x.grad == pytest.approx(y.data, rel=1e-9)  # y is linear in x, and x is 1


@pytest.mark.slow
def test_step_9_a_graph_deeper_than_the_recursion_limit_compiled(every_engine):
    x = Value(1.0, label="x")
    y = chain(x, 1_500)
    f = gdc.compile(y, inputs=[x])
    assert f.value_and_grad(1.0)[0] == close(y.data)
    for engine, (value, gradient) in every_engine(f, [1.0]).items():
        assert value == close(y.data), engine
        assert gradient == [pytest.approx(y.data, rel=1e-11)], engine


# --- step 10: the accumulation bug, and more operations ------------------------------------------


def twice(a):
    return a + a


def reused(a, b):
    d = a * b
    e = a + b
    return d * e


@pytest.mark.parametrize(
    ("function", "inputs", "value", "slopes"),
    [
        pytest.param(twice, (3.0,), 6.0, [2.0], marks=pytest.mark.slow),
        (reused, (-2.0, 3.0), -6.0, [-3.0, -8.0]),
        (neuron_by_exp, tuple(NEURON.values()), O, list(SLOPES.values())),
    ],
)
def test_step_10_the_accumulation_bug(every_engine, function, inputs, value, slopes):
    values = [Value(x) for x in inputs]
    result = function(*values)
    result.backward()
    assert result.data == close(value)
    assert [v.grad for v in values] == close(slopes)
    check(every_engine, gdc.compile(function), inputs, value, slopes)


# Each with its value and its slope at 3, by hand.
SIDES = {
    "v + 1": (lambda v: v + 1, 4.0, 1.0),
    "1 + v": (lambda v: 1 + v, 4.0, 1.0),
    "v - 1": (lambda v: v - 1, 2.0, 1.0),
    "1 - v": (lambda v: 1 - v, -2.0, -1.0),
    "-v": (lambda v: -v, -3.0, -1.0),
    "v * 2": (lambda v: v * 2, 6.0, 2.0),
    "2 * v": (lambda v: 2 * v, 6.0, 2.0),
    "v / 2": (lambda v: v / 2, 1.5, 0.5),
    "2 / v": (lambda v: 2 / v, 2 / 3, -2 / 9),
    "v**2": (lambda v: v**2, 9.0, 6.0),
    "v**-1": (lambda v: v**-1, 1 / 3, -1 / 9),
    "v**0.5": (lambda v: v**0.5, math.sqrt(3), 0.5 / math.sqrt(3)),
    "2**v": (lambda v: 2**v, 8.0, 8 * math.log(2)),
    "v**v": (lambda v: v**v, 27.0, 27 * (math.log(3) + 1)),
    "v.exp()": (lambda v: v.exp(), math.exp(3), math.exp(3)),
    "v / v": (lambda v: v / v, 1.0, 0.0),
    "v - v": (lambda v: v - v, 0.0, 0.0),
    "numpy + v": (lambda v: np.float64(1) + v, 4.0, 1.0),
    "v * numpy": (lambda v: v * np.int64(2), 6.0, 2.0),
    "numpy ** v": (lambda v: np.float32(2) ** v, 8.0, 8 * math.log(2)),
}


@pytest.mark.parametrize("case", SIDES)
def test_step_10_more_operations_eager(case):
    function, value, slope = SIDES[case]
    v = Value(3.0)
    result = function(v)
    result.backward()
    assert (result.data, v.grad) == (close(value), close(slope))


def test_step_10_more_operations_compiled(every_engine):
    functions, values, slopes = zip(*SIDES.values(), strict=True)
    # A sum over separate inputs: each slope is that of one case alone, and one kernel holds all.
    f = gdc.compile(lambda x: sum(g(v) for g, v in zip(functions, x, strict=True)))
    point = [3.0] * len(functions)
    value, grads = f.value_and_grad(point)
    assert value == close(sum(values))
    assert grads.x == close(list(slopes))
    for engine, (found, gradient) in every_engine(f, point).items():
        assert found == close(sum(values)), engine
        assert gradient == close(list(slopes)), engine


# --- steps 11 and 12: the library of neural nets, and training by hand ---------------------------

XS = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
YS = [1.0, -1.0, -1.0, 1.0]


@pytest.fixture
def model():
    random.seed(1337)
    return nn.MLP(3, [4, 4, 1], activation="tanh", output="tanh")


def squared_errors(model):
    ypred = [model(x) for x in XS]
    return sum((yout - ygt) ** 2 for ygt, yout in zip(YS, ypred, strict=True)), ypred


def test_step_11_the_library_of_neural_nets(model):
    assert len(model.parameters()) == 41
    result = model(XS[0])
    assert isinstance(result, Value)
    assert -1.0 < result.data < 1.0
    result.backward()
    assert all(p.grad != 0.0 for p in model.layers[-1].parameters())
    model.zero_grad()
    assert all(p.grad == 0.0 for p in model.parameters())


def test_step_11_relu_as_in_the_micrograd_repository():
    random.seed(1337)
    model = nn.MLP(2, [3, 1], output="relu")
    model.layers[-1].neurons[0].b.data = 5.0  # so that the last ReLU is on
    model([1.0, -2.0]).backward()
    hidden = model.layers[0]([1.0, -2.0])
    for w, h in zip(model.layers[-1].neurons[0].w, hidden, strict=True):
        assert w.grad == h.data


def test_steps_11_and_12_train_by_hand_eager_and_compiled(every_engine, model):
    loss, _ = squared_errors(model)
    f = gdc.compile(loss, inputs={"params": model.parameters()}, name="loss")
    point = [p.data for p in model.parameters()]

    # The first step, in every engine, before the two ways of training part company.
    loss.backward()
    assert f.value_and_grad(point)[1].params == close([p.grad for p in model.parameters()])
    for engine, (value, gradient) in every_engine(f, point).items():
        assert value == close(loss.data), engine
        assert gradient == close([p.grad for p in model.parameters()]), engine

    losses = []
    for _ in range(20):
        loss, ypred = squared_errors(model)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data += -0.1 * p.grad
        losses.append(loss.data)

        value, grads = f.value_and_grad(point)
        assert value == pytest.approx(loss.data, rel=1e-9)
        point = [p - 0.1 * slope for p, slope in zip(point, grads.params, strict=True)]

    assert losses[-1] < 0.2 * losses[0]
    assert [math.copysign(1.0, y.data) for y in ypred] == YS
    assert point == pytest.approx([p.data for p in model.parameters()], rel=1e-9)


# --- step 14: tanh's backward, from the saved result ---------------------------------------------


def test_step_14_the_rule_of_tanh_uses_the_result():
    n = Value(0.8813735870195432, label="n")
    o = n.tanh()
    o.label = "o"
    o.backward()
    assert n.grad == close(1.0 - o.data * o.data)
    forward, reverse = sweeps(gdc.compile(o, inputs=[n]).source)
    assert forward == {"o": "tanh(n)"}
    assert reverse == {"n_bar": "1.0 - o * o"}


# --- what micrograd's users stumble over ---------------------------------------------------------


def test_a_second_backward_sets_inner_gradients_anew():
    a, b, d = Value(3.0), Value(2.0), Value(1.0)
    c = a + b
    e = c * d
    e.backward()
    assert [v.grad for v in (a, b, c, d)] == [1.0, 1.0, 1.0, 5.0]
    e.backward()
    assert [v.grad for v in (a, b, c, d)] == [2.0, 2.0, 1.0, 10.0]
    e.zero_grad()
    assert [v.grad for v in (a, b, c, d, e)] == [0.0] * 5
    e.backward()
    assert [v.grad for v in (a, b, c, d)] == [1.0, 1.0, 1.0, 5.0]


def test_powers_are_real_and_never_raise(every_engine):
    cases = {
        # base, exponent: value, slope by the base
        (-1.0, 0.5): (math.nan, math.nan),
        (0.0, 0.5): (0.0, math.inf),
        (0.0, -1.0): (math.inf, -math.inf),
        (4.0, 0.5): (2.0, 0.25),
    }
    f = gdc.compile(lambda a, b: a**b, wrt="a")
    for (base, exponent), (value, slope) in cases.items():
        for power in (exponent, Value(exponent)):
            v = Value(base)
            result = v**power
            result.backward()
            assert [result.data, v.grad] == pytest.approx([value, slope], nan_ok=True)
        f.value_and_grad(base, exponent)
        for engine, (found, gradient) in every_engine(f, (base, exponent)).items():
            assert [found, *gradient] == pytest.approx([value, slope], nan_ok=True), engine


def test_operands_are_ordered_and_kept_twice():
    a, b = Value(2.0), Value(3.0)
    assert (a * a).operands == (a, a)
    assert (b - a).operands == (b, a)
    assert (a - b).operands == (a, b)
    assert (1 / a).operands[1] is a


def test_tanh_neither_overflows_nor_loses_small_numbers(every_engine):
    f = gdc.compile(gdc.tanh)
    for x, value, slope in ((355.0, 1.0, 0.0), (-1e6, -1.0, 0.0), (1e-17, 1e-17, 1.0)):
        v = Value(x)
        y = v.tanh()
        y.backward()
        assert (y.data, v.grad) == (value, slope)
        f.value_and_grad(x)
        for engine, found in every_engine(f, [x]).items():
            assert found == (value, [slope]), engine


@pytest.mark.slow
def test_the_operations_that_users_ask_for(every_engine):
    def softmax(logits):
        e = [(v - logits[0]).exp() for v in logits]
        return [v / sum(e) for v in e]

    def ask(x):
        p = softmax(x)
        nll = -p[1].log()
        return nll + gdc.where(x[0] > x[2], gdc.maximum(x[0], x[1]), x[2].sigmoid())

    numbers = [0.3, -1.2, 0.1]
    total = sum(math.exp(v) for v in numbers)
    p = [math.exp(v) / total for v in numbers]
    expected = -math.log(p[1]) + 0.3  # 0.3 > 0.1, and the larger of 0.3 and -1.2 is 0.3
    slopes = [p[0] + 1.0, p[1] - 1.0, p[2]]
    values = [Value(v) for v in numbers]
    result = ask(values)
    result.backward()
    assert result.data == close(expected)
    assert [v.grad for v in values] == close(slopes)
    f = gdc.compile(ask)
    f.value_and_grad(numbers)
    for engine, (value, gradient) in every_engine(f, numbers).items():
        assert value == close(expected), engine
        assert gradient == close(slopes), engine
