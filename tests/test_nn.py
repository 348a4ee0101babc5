"""Neurons, layers and MLPs: eager, compiled, and as functions of their parameters."""

import copy
import math
import pickle
import random
from typing import NamedTuple

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, nn
from gradcompile.graph.nested import flatten
from gradcompile.graph.value import TracedValue

XS = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
YS = [1.0, -1.0, -1.0, 1.0]


def close(expected):
    return pytest.approx(expected, rel=1e-12, abs=1e-15)


def seeded(*args, **kwargs):
    random.seed(1337)
    return nn.MLP(*args, **kwargs)


def lecture():
    return seeded(3, [4, 4, 1], activation="tanh", output="tanh")


# --- draw for draw -------------------------------------------------------------------------------


def test_weights_are_drawn_neuron_by_neuron_and_biases_are_zero():
    model = seeded(2, [3, 2])
    random.seed(1337)
    expected = []
    for nin, nout in [(2, 3), (3, 2)]:
        for _ in range(nout):
            expected += [*[random.uniform(-1, 1) for _ in range(nin)], 0.0]
    assert model.flat.tolist() == expected
    assert [p.data for p in model.parameters()] == expected


def test_nothing_else_is_drawn():
    seeded(2, [3, 2])([1.0, 2.0])
    after = random.random()
    random.seed(1337)
    for _ in range(2 * 3 + 3 * 2):
        random.uniform(-1, 1)
    assert random.random() == after


@pytest.mark.parametrize(
    ("sizes", "count"), [((3, [4, 4, 1]), 41), ((2, [16, 16, 1]), 337), ((1, [1]), 2)]
)
def test_how_many_parameters(sizes, count):
    assert len(nn.MLP(*sizes).parameters()) == count


def test_the_numbers_of_a_neuron():
    neuron = nn.Neuron(2)
    neuron.flat = [0.5, -2.0, 0.25]
    assert neuron([3.0, 0.5]).data == 0.25 + 0.5 * 3.0 - 2.0 * 0.5
    assert neuron([3.0, 5.0]).data == 0.0
    assert nn.Neuron(2, nonlin=False).with_parameters(neuron.flat)([3.0, 5.0]) == -8.25


def test_only_the_last_layer_of_an_mlp_is_linear():
    model = nn.MLP(2, [3, 3, 2])
    nonlin = [[n.nonlin for n in layer.neurons] for layer in model.layers]
    assert nonlin == [[True] * 3, [True] * 3, [False] * 2]


@pytest.mark.peers
def test_the_first_two_losses_of_the_two_moons():
    datasets = pytest.importorskip("sklearn.datasets")
    np.random.seed(1337)
    X, y = datasets.make_moons(n_samples=100, noise=0.1)
    model = seeded(2, [16, 16, 1])
    losses = []
    for _ in range(2):
        rows = [(1.0 - yi * model(xi)).relu() for xi, yi in zip(X, y * 2 - 1, strict=True)]
        loss = sum(rows) / len(rows) + 1e-4 * sum(p * p for p in model.parameters())
        model.zero_grad()
        loss.backward()
        model.flat = model.flat - [p.grad for p in model.parameters()]
        losses.append(loss.data)
    assert losses == [close(0.8958441028683222), close(1.7235905336972022)]


# --- activations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "softplus", "sin", "leaky_relu", "elu", "abs"])
@pytest.mark.parametrize("by", ["name", "operation", "function"])
def test_an_activation(name, by):
    op = getattr(gdc, name)
    choice = {"name": name, "operation": op, "function": lambda x: op(x)}[by]
    neuron = nn.Neuron(1, activation=choice)
    neuron.flat = [2.0, -5.0]
    for x in (1.5, 4.0):
        assert neuron([x]).data == op(2.0 * x - 5.0)


def test_linear_is_no_activation():
    for neuron in (nn.Neuron(2, activation="linear"), nn.Neuron(2, nonlin=False)):
        assert not neuron.nonlin
        assert str(neuron) == "LinearNeuron(2)"
        total = neuron([1.0, 2.0])
        assert total.op is gdc.add


def test_the_layers_of_an_mlp_and_its_output():
    model = nn.MLP(2, [3, 1], activation="sigmoid", output="softplus")
    assert [str(layer.neurons[0]) for layer in model.layers] == [
        "SigmoidNeuron(2)",
        "SoftplusNeuron(3)",
    ]
    layer = nn.Layer(2, 3, activation="tanh")
    assert {neuron.activation for neuron in layer.neurons} == {"tanh"}


@pytest.mark.parametrize(
    ("activation", "error", "says"),
    [
        ("tahn", ValueError, r"one of linear, .*tanh.*; got 'tahn'"),
        ("maximum", ValueError, "got 'maximum'"),
        (gdc.maximum, ValueError, "got 'maximum'"),
        (3, TypeError, "expected a name or a function, got int 3"),
        (None, TypeError, "expected a name or a function, got NoneType None"),
    ],
)
def test_what_is_no_activation(activation, error, says):
    with pytest.raises(error, match=says):
        nn.Neuron(2, activation=activation)


def test_an_activation_that_loses_the_gradient_is_refused():
    neuron = nn.Neuron(1, activation=math.tanh)
    with pytest.raises(TypeError, match="gradient would be lost"):
        neuron([1.0])
    with pytest.raises(TypeError, match=r"Neuron\(1\): .* made float .* gdc.tanh"):
        nn.Neuron(1, activation=lambda x: math.tanh(x.data))([1.0])
    with pytest.raises(gdc.TraceError, match="no number yet"):
        gdc.compile(neuron).grad([1.0])
    assert neuron.with_parameters([1.0, 0.0])([0.5]) == math.tanh(0.5)


# --- reprs ---------------------------------------------------------------------------------------


def test_reprs_are_micrograds():
    assert str(nn.MLP(2, [2, 1])) == (
        "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(2)]]"
    )


def test_a_large_layer_is_counted():
    assert str(nn.Layer(3, 17)) == "Layer of [17 × ReLUNeuron(3)]"
    assert str(nn.Layer(3, 16)).count("ReLUNeuron(3)") == 16
    mixed = nn.Layer(3, 17)
    mixed.neurons[0] = nn.Neuron(3, nonlin=False)
    assert str(mixed).count("ReLUNeuron") == 16


def test_names_of_activations_in_reprs():
    def swish(x):
        return x * gdc.sigmoid(x)

    choices = ["leaky_relu", swish, lambda x: x * x]
    assert [str(nn.Neuron(1, activation=choice)) for choice in choices] == [
        "LeakyReluNeuron(1)",
        "SwishNeuron(1)",
        "LambdaNeuron(1)",
    ]


# --- inputs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "x",
    [
        (1.0, -2.0),
        np.array([1.0, -2.0]),
        np.array([1, -2]),
        np.array([1.0, -2.0], dtype=np.float32),
        [np.float64(1.0), np.int64(-2)],
        [Value(1.0), Value(-2.0)],
        np.array([Value(1.0), Value(-2.0)]),
        [Value(1.0), -2],
    ],
    ids=repr,
)
def test_inputs_of_many_kinds(x):
    model = seeded(2, [3, 1])
    assert model(x).data == model([1.0, -2.0]).data


def test_inputs_that_can_be_read_once():
    model = seeded(2, [3, 1])
    assert model(map(float, (1, -2))).data == model([1.0, -2.0]).data


def test_one_input_may_be_a_number():
    model = seeded(1, [3, 1])
    for x in (0.5, np.float64(0.5), np.array(0.5), Value(0.5)):
        assert model(x).data == model([0.5]).data
    assert isinstance(seeded(2, [1, 4, 1])([1.0, 2.0]), Value)  # micrograd cannot


@pytest.mark.parametrize(
    ("x", "error", "says"),
    [
        ([1.0, 2.0], ValueError, r"ReLUNeuron\(3\): expected 3 inputs, got 2"),
        ([], ValueError, r"ReLUNeuron\(3\): expected 3 inputs, got 0"),
        (np.zeros(4), ValueError, r"ReLUNeuron\(3\): expected 3 inputs, got 4"),
        (np.zeros((4, 3)), ValueError, r"the inputs of one row, .* shape \(4, 3\)"),
        (1.0, ValueError, r"expected 3 inputs, got 1"),
        (None, TypeError, "expected inputs in a list or an array, got NoneType None"),
        ("abc", TypeError, "expected a real number or a Value, got str 'a'"),
        (XS[:3], TypeError, "got list"),
    ],
)
def test_wrong_inputs(x, error, says):
    with pytest.raises(error, match=says):
        nn.MLP(3, [4, 1])(x)


# --- sizes ---------------------------------------------------------------------------------------


def test_empty_things():
    assert nn.Neuron(0)([]).data == 0.0
    assert nn.Layer(3, 0)([1.0, 2.0, 3.0]) == []
    assert nn.Layer(3, 0).flat.shape == (0,)
    assert str(nn.Layer(3, 0)) == "Layer of []"
    nothing = nn.MLP(3, [])
    assert nothing([1.0, 2.0, 3.0]) == [1.0, 2.0, 3.0]
    assert nothing.flat.dtype == np.float64
    nothing.flat = []
    assert nn.MLP(3, [0, 2]).parameters()[-1].data == 0.0
    assert [y.data for y in nn.MLP(3, [0, 2])([1.0, 2.0, 3.0])] == [0.0, 0.0]


def test_sizes_of_numpy():
    model = seeded(np.int64(2), np.array([3, 1]))
    assert model.flat.tolist() == seeded(2, (3, 1)).flat.tolist()


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: nn.Neuron(-1), ValueError, "Neuron: expected a size of 0 or more, got -1"),
        (lambda: nn.Layer(2, -1), ValueError, "Layer: expected a size of 0 or more, got -1"),
        (lambda: nn.Neuron(2.0), TypeError, "Neuron: expected a whole number .* float 2.0"),
        (lambda: nn.MLP(2, ["3"]), TypeError, "Layer: expected a whole number .* str '3'"),
        (lambda: nn.MLP(2, 3), TypeError, "MLP: expected a list of sizes, got int 3"),
    ],
)
def test_wrong_sizes(make, error, says):
    with pytest.raises(error, match=says):
        make()


# --- gradients and flat --------------------------------------------------------------------------


def test_zero_grad():
    model = seeded(2, [3, 1])
    model([1.0, -2.0]).backward()
    assert any(p.grad for p in model.parameters())
    model.zero_grad()
    assert [p.grad for p in model.parameters()] == [0.0] * 13


def test_flat_is_a_copy():
    model = seeded(2, [3, 1])
    flat = model.flat
    flat += 1.0
    assert (model.flat == flat - 1.0).all()
    model.flat = flat
    assert [p.data for p in model.parameters()] == flat.tolist()
    assert all(type(p.data) is float for p in model.parameters())
    model.flat *= 2.0
    assert (model.flat == 2.0 * flat).all()


@pytest.mark.parametrize(
    ("numbers", "error", "says"),
    [
        (np.zeros(12), ValueError, "MLP.flat: expected 13 parameters, got 12"),
        (0.0, ValueError, "MLP.flat: expected 13 parameters, got 1"),
        ([Value(1.0)] * 13, TypeError, "MLP.flat: expected numbers .*, got Value"),
        (["1"] * 13, TypeError, "MLP.flat: expected numbers .*, got str"),
        (np.zeros(13, dtype=complex), TypeError, "MLP.flat: .* complex"),
    ],
)
def test_wrong_flat(numbers, error, says):
    model = seeded(2, [3, 1])
    before = model.flat
    with pytest.raises(error, match=says):
        model.flat = numbers
    assert (model.flat == before).all()


# --- with_parameters, and compiled ---------------------------------------------------------------


def test_with_numbers_a_model_computes_numbers():
    model = lecture()
    for x in XS:
        score = model.with_parameters(model.flat)(x)
        assert type(score) is float
        assert score == model(x).data


def test_with_values():
    model = lecture()
    params = [Value(x) for x in model.flat]
    model.with_parameters(params)(XS[0]).backward()
    assert all(p.grad == 0.0 for p in model.parameters())
    slopes = [p.grad for p in params]
    model(XS[0]).backward()
    assert [p.grad for p in model.parameters()] == slopes


def test_the_model_itself_stays_as_it_is():
    model = lecture()
    own, flat = model.parameters(), model.flat
    other = model.with_parameters([0.5] * 41)
    assert (other.flat == 0.5).all()
    assert all(a is b for a, b in zip(own, model.parameters(), strict=True))
    assert (model.flat == flat).all()


@pytest.mark.parametrize("kind", [list, tuple, np.array, lambda p: {"w": p[:40], "b": p[40]}])
def test_compiled_as_a_function_of_the_parameters(every_engine, kind):
    model = lecture()

    @gdc.compile(wrt="params")
    def loss(params, xs, ys):
        if isinstance(params, dict):
            assert isinstance(params["b"], TracedValue)
        net = model.with_parameters(params)
        return sum((net(x) - y) ** 2 for x, y in zip(xs, ys, strict=True))

    xs, ys = XS[:2], YS[:2]
    eager = sum((model(x) - y) ** 2 for x, y in zip(xs, ys, strict=True))
    eager.backward()
    slopes = [p.grad for p in model.parameters()]
    value, grads = loss.value_and_grad(kind(model.flat.tolist()), xs, ys)
    assert value == close(eager.data)
    found, _ = flatten(grads.params)
    assert found == close(slopes)
    if kind is list:
        flat = [*model.flat, *np.ravel(xs), *ys]
        for engine, (value, gradient) in every_engine(loss, flat).items():
            assert value == close(eager.data), engine
            assert gradient == close(slopes), engine


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_compiled_with_its_parameters_as_constants(kind):
    model = lecture()
    compiled = gdc.compile(lambda x: model(x))
    x = kind(XS[0])
    inputs = [Value(number) for number in XS[0]]
    model(inputs).backward()
    value, grads = compiled.value_and_grad(x)
    assert value == close(model(x).data)
    assert list(grads.x) == close([v.grad for v in inputs])
    assert gdc.compile(model)(x) == value


@pytest.mark.slow
def test_compiled_from_the_graph():
    model = lecture()
    loss = sum((model(x) - y) ** 2 for x, y in zip(XS[:2], YS[:2], strict=True))
    loss.backward()
    f = gdc.compile(loss, inputs={"params": model.parameters()})
    value, grads = f.value_and_grad(model.flat.tolist())
    assert value == close(loss.data)
    assert grads.params == close([p.grad for p in model.parameters()])


def test_a_traced_model_says_that_it_has_no_numbers():
    model = lecture()
    with pytest.raises(gdc.TraceError, match=r"a traced value has no `\.data`"):
        gdc.compile(lambda params: model.with_parameters(params).flat.sum())(model.flat)


@pytest.mark.parametrize(
    ("params", "error", "says"),
    [
        ([1.0] * 40, ValueError, "MLP.with_parameters: expected 41 parameters, got 40"),
        (["a"] * 41, TypeError, "MLP.with_parameters: expected numbers .* got str 'a'"),
        (None, TypeError, "MLP.with_parameters: expected numbers .* got NoneType"),
    ],
)
def test_wrong_parameters(params, error, says):
    with pytest.raises(error, match=says):
        nn.MLP(3, [4, 4, 1]).with_parameters(params)


# --- modules of users ----------------------------------------------------------------------------


class Pair(NamedTuple):
    a: object
    b: object


class Residual(nn.Module):
    """Keeps parameters in everything that may hold them."""

    def __init__(self):
        self.inner = nn.Layer(2, 2, activation="tanh")
        self.scales = {"first": Value(0.5), "rest": (Value(2.0), [Value(-1.0)])}
        self.pair = Pair(Value(3.0), "a name")
        self.matrix = np.array([[Value(1.0), Value(2.0)], [Value(3.0), Value(4.0)]])
        self.data = np.arange(3.0)
        self.last = None
        self.itself = self  # cycles are no problem

    def __call__(self, x):
        first, (second, (third,)) = self.scales.values()
        h = self.matrix @ np.array(self.inner(x))
        self.last = first * x[0] + second * x[1] + third * self.pair.a + h[0] * h[1]
        return self.last

    def parameters(self):
        first, (second, (third,)) = self.scales.values()
        return [
            *self.inner.parameters(),
            *[first, second, third],
            self.pair.a,
            *self.matrix.ravel(),
        ]


class Tower(nn.Module):
    def __init__(self):
        self.blocks = [Residual(), Residual()]

    def __call__(self, x):
        return self.blocks[0](x) - self.blocks[1](x)

    def parameters(self):
        return (p for block in self.blocks for p in block.parameters())


def test_nested_modules_of_users(every_engine):
    random.seed(3)
    tower = Tower()
    tower([0.5, -1.5]).backward()
    slopes = [p.grad for p in tower.parameters()]
    f = gdc.compile(lambda params: tower.with_parameters(params)([0.5, -1.5]))
    value, grads = f.value_and_grad(tower.flat)
    assert value == close(tower([0.5, -1.5]).data)
    assert grads.params.tolist() == close(slopes)
    for engine, (_, gradient) in every_engine(f, tower.flat).items():
        assert gradient == close(slopes), engine
    tower.zero_grad()
    assert not any(p.grad for p in tower.parameters())
    twin = tower.with_parameters(tower.flat)
    assert twin.blocks[0].itself is twin.blocks[0]
    assert twin.blocks[0].data is tower.blocks[0].data


def test_a_long_graph_that_a_module_keeps_is_not_followed():
    neuron = Remembers(5_000)
    neuron(np.ones(5_000))
    assert isinstance(neuron.with_parameters(neuron.flat)(np.ones(5_000)), float)


def test_tied_parameters():
    class Tied(nn.Module):
        def __init__(self):
            self.encode = Value(2.0)
            self.decode = self.encode

        def __call__(self, x):
            return self.encode * self.decode * x

        def parameters(self):
            return [self.encode]

    assert Tied().with_parameters([3.0])(2.0) == 18.0


def test_parameters_that_cannot_be_found():
    class Box:
        def __init__(self, content):
            self.content = content

    class Hides(nn.Module):
        def __init__(self):
            self.box = Box(Value(1.0))

        def parameters(self):
            return [self.box.content]

    class Twice(nn.Module):
        def __init__(self):
            self.w = Value(1.0)

        def parameters(self):
            return [self.w, self.w]

    for module, index in ((Hides(), 0), (Twice(), 0)):
        with pytest.raises(TypeError, match=f"parameter {index} is listed twice, or not kept"):
            module.with_parameters(np.arange(float(len(module.parameters()))))


def test_a_module_without_parameters():
    module = nn.Module()
    assert module.parameters() == []
    module.zero_grad()
    assert module.with_parameters([]).flat.size == 0


def test_copies():
    model = lecture()
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert str(twin) == str(model)
        assert (twin.flat == model.flat).all()
        assert twin(XS[0]).data == model(XS[0]).data
        assert not set(map(id, twin.parameters())) & set(map(id, model.parameters()))


class Remembers(nn.Neuron):
    def __call__(self, x):
        self.last = super().__call__(x)
        return self.last


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_of_a_module_that_keeps_its_output(twin):
    neuron = Remembers(2, activation="tanh")
    neuron([1.0, 2.0])
    other = twin(neuron)
    other.last.backward()
    assert neuron.w[0].grad == 0.0
    assert other.w[0].grad == 1.0 - other.last.data**2
    assert other.last.op is gdc.tanh


# --- importing -----------------------------------------------------------------------------------


def test_nn_and_optim_load_on_first_use(run_python):
    assert run_python(
        "import sys, gradcompile as gdc\n"
        "mine = lambda: [n for n in ('nn', 'optim') if f'gradcompile.{n}' in sys.modules]\n"
        "print(mine(), {'nn', 'optim'} <= set(dir(gdc)))\n"
        "gdc.nn.MLP, gdc.optim.Adam\n"
        "print(mine())\n"
    ).split("\n")[:2] == ["[] True", "['nn', 'optim']"]
    with pytest.raises(AttributeError, match="no attribute 'nnn'"):
        _ = gdc.nnn


# --- peers ---------------------------------------------------------------------------------------


@pytest.fixture
def micrograd():
    pytest.importorskip("micrograd")
    from micrograd import engine, nn

    return engine, nn


def two_moons(kind, nn):
    """Three steps of the demo in micrograd's repository, word for word but for the data."""
    random.seed(1337)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 2)), rng.choice([-1, 1], size=12)
    model = nn.MLP(2, [16, 16, 1])
    said = [str(model), len(model.parameters()), [float(p.data) for p in model.parameters()]]
    losses = []
    for k in range(3):
        inputs = [list(map(kind, xrow)) for xrow in X]
        scores = list(map(model, inputs))
        losses_of_rows = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
        data_loss = sum(losses_of_rows) * (1.0 / len(losses_of_rows))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        total_loss = data_loss + reg_loss
        model.zero_grad()
        total_loss.backward()
        learning_rate = 1.0 - 0.9 * k / 100
        for p in model.parameters():
            p.data -= learning_rate * p.grad
        losses.append(total_loss.data)
    return said, losses, [float(p.grad) for p in model.parameters()]


@pytest.mark.peers
def test_code_for_micrograd_runs_here(micrograd):
    engine, theirs = micrograd
    said, losses, slopes = two_moons(engine.Value, theirs)
    assert two_moons(Value, nn) == (
        said,
        pytest.approx(losses, rel=1e-12),
        pytest.approx(slopes, rel=1e-9, abs=1e-13),
    )


@pytest.mark.peers
@pytest.mark.parametrize("nonlin", [True, False])
def test_micrograds_neurons_and_layers(micrograd, nonlin):
    _, theirs = micrograd
    for make in (lambda n: n.Neuron(3, nonlin=nonlin), lambda n: n.Layer(3, 4, nonlin=nonlin)):
        random.seed(5)
        expected = make(theirs)
        random.seed(5)
        found = make(nn)
        assert str(found) == str(expected)
        for x in XS:
            ours, mine = np.atleast_1d(found(x)), np.atleast_1d(expected(x))
            assert [y.data for y in ours] == [float(y.data) for y in mine]
