"""The same graphs in torch and micrograd, with the same numbers."""

import math
import random

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value
from gradcompile.ops.op import CONDITIONS
from gradcompile.ops.table import TABLE
from tests.whole.test_lecture import (
    NEURON,
    XS,
    YS,
    model,  # noqa: F401  (a fixture)
    neuron,
    neuron_by_exp,
    readme,
    reused,
    squared_errors,
    twice,
)

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def micrograd():
    pytest.importorskip("micrograd")
    from micrograd import engine, nn

    return engine, nn


def close(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-15)


def by_torch(torch, function, numbers):
    """The value and the slopes that torch finds, in float64."""
    tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in numbers]
    result = function(*tensors)
    result.backward()
    return result.item(), [0.0 if t.grad is None else t.grad.item() for t in tensors]


def check(every_engine, function, numbers, value, slopes):
    """Eagerly, called, and in every compiled engine."""
    values = [Value(x) for x in numbers]
    result = function(*values)
    result.backward()
    assert result.data == close(value)
    assert [v.grad for v in values] == close(slopes)
    compiled = gdc.compile(function)
    found, grads = compiled.value_and_grad(*numbers)
    assert (found, list(grads)) == (close(value), close(slopes))
    for engine, (found, gradient) in every_engine(compiled, numbers).items():
        assert found == close(value), engine
        assert gradient == close(slopes), engine


# --- torch: the lecture --------------------------------------------------------------------------


def test_torch_step_7_and_11_the_neuron(torch, every_engine):
    numbers = list(NEURON.values())
    value, slopes = by_torch(
        torch, lambda x1, x2, w1, w2, b: torch.tanh(x1 * w1 + x2 * w2 + b), numbers
    )
    check(every_engine, neuron, numbers, value, slopes)


@pytest.mark.parametrize(
    ("function", "numbers"),
    [(twice, [3.0]), (reused, [-2.0, 3.0]), (neuron_by_exp, list(NEURON.values()))],
)
def test_torch_step_10(torch, every_engine, function, numbers):
    value, slopes = by_torch(torch, function, numbers)
    check(every_engine, function, numbers, value, slopes)


def test_torch_step_11_the_loss_of_the_net(torch, every_engine, model):  # noqa: F811
    loss, _ = squared_errors(model)
    loss.backward()
    parameters = model.parameters()
    numbers = [p.data for p in parameters]

    flat = torch.tensor(numbers, dtype=torch.float64, requires_grad=True)
    hidden = torch.tensor(XS, dtype=torch.float64)
    start = 0
    for layer in model.layers:
        rows = []
        for n in layer.neurons:
            rows.append(flat[start : start + len(n.w) + 1])
            start += len(n.w) + 1
        both = torch.stack(rows)
        hidden = torch.tanh(hidden @ both[:, :-1].T + both[:, -1])
    expected = ((hidden[:, 0] - torch.tensor(YS, dtype=torch.float64)) ** 2).sum()
    expected.backward()
    value, slopes = expected.item(), flat.grad.tolist()

    assert loss.data == close(value)
    assert [p.grad for p in parameters] == close(slopes)
    f = gdc.compile(loss, inputs={"params": parameters})
    found, grads = f.value_and_grad(numbers)
    assert (found, grads.params) == (close(value), close(slopes))
    for engine, (found, gradient) in every_engine(f, numbers).items():
        assert found == close(value), engine
        assert gradient == close(slopes), engine


def test_torch_step_14_tanh_backward(torch):
    n = 0.8813735870195432
    o, (slope,) = by_torch(torch, torch.tanh, [n])
    assert TABLE["tanh"].partials[0](o, n) == close(slope) == close(1.0 - o * o)


# --- torch: the op table -------------------------------------------------------------------------

# torch's polygamma, and so the slope of its digamma, has 9 digits; mpmath sides with ours.
DIFFERENTIABLE = [
    op for op in TABLE.values() if any(op.partials) and op.name not in ("digamma", "polygamma")
]


def in_torch(torch, op):
    """torch's function for a row; None if it has none."""
    functional = torch.nn.functional
    names = {
        "copy": torch.clone,
        "heaviside": None,  # it has no derivative there
        # Beyond its threshold torch's softplus is the identity.
        "softplus": lambda x: functional.softplus(x, threshold=1e9),
        "silu": functional.silu,
        "gelu": functional.gelu,
        "leaky_relu": lambda x, a: torch.where(x > 0, x, a * x),
        "elu": lambda x, a: torch.where(x > 0, x, a * torch.expm1(x)),
        "where": lambda c, a, b: torch.where(c != 0, a, b),
    }
    return names.get(op.name, getattr(torch, op.name, None))


def points(op, count):
    """Points of the row's domain, the same ones every time."""
    rng = random.Random(op.name)
    found = []
    while len(found) < count:
        point = []
        for name in op.operand_names:
            if name in CONDITIONS:
                point.append(rng.choice([0.0, 1.0]))
            else:
                point.append(rng.uniform(*rng.choice([(-0.99, 0.99), (-4.0, 4.0), (0.01, 9.0)])))
        if op.contains(*point):
            found.append(point)
    return found


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=lambda op: op.name)
def test_torch_has_the_same_value_and_slopes_for_the_row(torch, op):
    function = in_torch(torch, op)
    if function is None:
        pytest.skip("torch has no such function")
    for numbers in points(op, 20):
        value, slopes = by_torch(torch, function, numbers)
        values = [Value(x) for x in numbers]
        result = op(*values)
        result.backward()
        assert result.data == close(value), numbers
        assert [v.grad for v in values] == close(slopes), numbers


def test_torch_has_the_same_slopes_for_the_whole_table(torch, every_engine):
    rows = [op for op in DIFFERENTIABLE if in_torch(torch, op)]
    assert len(rows) >= 18

    def total(functions, numbers):
        supply = iter(numbers)
        return sum(f(*[next(supply) for _ in op.operand_names]) for op, f in functions)

    f = gdc.compile(lambda x: total([(op, op) for op in rows], x))
    for k in range(5):
        numbers = [x for op in rows for x in points(op, 5)[k]]
        value, slopes = by_torch(
            torch, lambda *x: total([(op, in_torch(torch, op)) for op in rows], x), numbers
        )
        assert f.value_and_grad(numbers) == (close(value), (close(slopes),))
        for engine, (found, gradient) in every_engine(f, numbers).items():
            assert found == close(value), engine
            assert gradient == close(slopes), engine


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("relu", [0.0]), ("abs", [0.0]), ("maximum", [1.5, 1.5]), ("minimum", [1.5, 1.5])],
)
def test_torch_chooses_the_same_slopes_at_kinks(torch, name, numbers):
    _, slopes = by_torch(torch, getattr(torch, name), numbers)
    values = [Value(x) for x in numbers]
    TABLE[name](*values).backward()
    assert [v.grad for v in values] == slopes


EXPRESSIONS = [
    lambda m, a, b: m.tanh(a * b) / (1.0 + m.exp(-a)) - b**3,
    lambda m, a, b: m.log(a * a + 1.0) * m.sqrt(b) + 2.0**a,
    lambda m, a, b: m.sigmoid(a - b) * m.relu(a + 0.5) + abs(b - 4.0),
    lambda m, a, b: m.maximum(a, b) * m.sin(a) - m.minimum(a * b, b) * m.cos(b),
    lambda m, a, b: m.where(a > b, m.log(a), a * b) / b**a,
]


@pytest.mark.parametrize("index", range(len(EXPRESSIONS)))
@pytest.mark.parametrize("numbers", [(0.7, 1.3), (2.5, 0.4)])
def test_torch_agrees_on_expressions(torch, every_engine, index, numbers):
    function = EXPRESSIONS[index]
    value, slopes = by_torch(torch, lambda a, b: function(torch, a, b), numbers)
    check(every_engine, lambda a, b: function(gdc, a, b), numbers, value, slopes)


# --- micrograd -----------------------------------------------------------------------------------


def run_on(kind, function, numbers):
    values = [kind(x) for x in numbers]
    result = function(*values)
    result.backward()
    return result.data, [v.grad for v in values]


@pytest.mark.parametrize(
    ("function", "numbers"),
    [
        (readme, (-4.0, 2.0)),
        (twice, (3.0,)),
        (reused, (-2.0, 3.0)),
        (lambda a, b, c, f: (a * b + c) * f, (2.0, -3.0, 10.0, -2.0)),
        (lambda x: 3 * x**2 - 4 * x + 5, (3.0,)),
        (lambda a, b: (1 - a) / b + (2 / a - b) ** 2 * -1.5, (3.0, 0.5)),
        (lambda a, b: sum([a * k + b for k in range(5)]).relu() / 7, (1.25, -0.5)),
    ],
)
def test_the_same_code_on_micrograds_values(micrograd, every_engine, function, numbers):
    engine, _ = micrograd
    value, slopes = run_on(engine.Value, function, numbers)
    assert run_on(Value, function, numbers) == (close(value), close(slopes))
    check(every_engine, function, numbers, value, slopes)


def train(nn, kind):
    """The demo of micrograd's repository in small, on its own nn.py with another Value."""
    nn.Value = kind
    random.seed(1337)
    rng = np.random.default_rng(0)
    rows, targets = rng.normal(size=(12, 2)), rng.choice([-1, 1], size=12)
    net = nn.MLP(2, [5, 5, 1])
    losses = []
    for k in range(4):
        inputs = [list(map(kind, row)) for row in rows]
        scores = list(map(net, inputs))
        hinge = [(1 + -y * s).relu() for y, s in zip(targets, scores, strict=True)]
        loss = sum(hinge) * (1.0 / len(hinge)) + 1e-4 * sum(p * p for p in net.parameters())
        net.zero_grad()
        loss.backward()
        losses.append(float(loss.data))
        slopes = [float(p.grad) for p in net.parameters()]
        for p in net.parameters():
            p.data -= (1.0 - 0.9 * k / 100) * 0.1 * p.grad
    return losses, slopes


def test_micrograds_own_net_runs_on_our_values(micrograd, monkeypatch):
    engine, nn = micrograd
    monkeypatch.setattr(nn, "Value", engine.Value)
    losses, slopes = train(nn, engine.Value)
    ours, our_slopes = train(nn, Value)
    assert ours == pytest.approx(losses, rel=1e-11)
    assert our_slopes == pytest.approx(slopes, rel=1e-10, abs=1e-14)
    assert losses[-1] < losses[0]


def test_where_micrograd_stumbles(micrograd):
    # So that the claims about it stay true.
    engine, _ = micrograd
    theirs, ours = [engine.Value(1.0)], [Value(1.0)]
    for chain in (theirs, ours):
        for _ in range(2_000):
            chain.append(chain[-1] + 1.0)
    with pytest.raises(RecursionError):
        theirs[-1].backward()
    ours[-1].backward()
    assert ours[0].grad == 1.0
    with pytest.raises(TypeError):
        2 ** engine.Value(3.0)
    assert (2 ** Value(3.0)).data == 8.0
    assert isinstance((engine.Value(-1.0) ** 0.5).data, complex)
    assert math.isnan((Value(-1.0) ** 0.5).data)
    with pytest.raises(ZeroDivisionError):
        (engine.Value(0.0) ** 0.5).backward()
