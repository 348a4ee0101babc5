"""Steps of SGD, Adam and AdamW: by hand, as torch.optim takes them, and on bad input."""

import copy
import inspect
import math
import pickle

import numpy as np
import pytest

import gradcompile as gdc
from gradcompile import Value, nn, optim

EVERY = [optim.SGD, optim.Adam, optim.AdamW]


def close(expected):
    return pytest.approx(expected, rel=1e-13, abs=1e-15)


# --- by hand -------------------------------------------------------------------------------------


def test_sgd():
    assert optim.SGD(lr=0.5).step([1.0, 2.0], [4.0, -1.0]).tolist() == [-1.0, 2.5]


def test_sgd_with_momentum():
    opt = optim.SGD(lr=0.1, momentum=0.5)
    p = opt.step([1.0], [2.0])  # velocity 2
    assert p == close([0.8])
    p = opt.step(p, [1.0])  # velocity 0.5 * 2 + 1
    assert p == close([0.6])
    p = opt.step(p, [0.0])  # velocity 1
    assert p == close([0.5])


def test_sgd_with_nesterov():
    opt = optim.SGD(lr=0.1, momentum=0.5, nesterov=True)
    p = opt.step([1.0], [2.0])  # velocity 2, ahead 2 + 0.5 * 2
    assert p == close([0.7])
    assert opt.step(p, [1.0]) == close([0.7 - 0.1 * (1.0 + 0.5 * 2.0)])


def test_sgd_with_weight_decay():
    opt = optim.SGD(lr=0.1, weight_decay=0.5)
    assert opt.step([4.0], [1.0]) == close([4.0 - 0.1 * (1.0 + 0.5 * 4.0)])


def test_adam():
    opt = optim.Adam(lr=0.1, betas=(0.5, 0.75), eps=1.0)
    p = opt.step([1.0], [2.0])  # means 1 and 1, corrected 2 and 4
    assert p == close([1.0 - 0.1 * 2.0 / (2.0 + 1.0)])
    mean, square = (0.5 * 1.0 + 0.5 * -3.0) / 0.75, (0.75 * 1.0 + 0.25 * 9.0) / (1.0 - 0.75**2)
    assert opt.step(p, [-3.0]) == close([p[0] - 0.1 * mean / (math.sqrt(square) + 1.0)])


def test_adams_first_step_is_lr_long():
    opt = optim.Adam(lr=0.25, eps=0.0)
    assert opt.step([0.0, 0.0, 0.0], [1e-9, -3.0, 1e9]) == close([-0.25, 0.25, -0.25])


def test_weight_decay_of_adam_joins_the_gradient_and_that_of_adamw_does_not():
    adam = optim.Adam(lr=0.1, eps=0.0, weight_decay=0.5)
    assert adam.step([4.0], [0.0]) == close([3.9])  # the length of a step is lr
    adamw = optim.AdamW(lr=0.1, eps=1e-8, weight_decay=0.5)
    assert adamw.step([4.0], [0.0]) == close([4.0 * (1.0 - 0.1 * 0.5)])
    assert adamw.step([4.0, 0.0][:1], [0.0]) == close([3.8])


def test_settings_are_torchs():
    assert repr(optim.SGD()) == "SGD(lr=0.001, momentum=0.0, weight_decay=0.0, nesterov=False)"
    means = "betas=(0.9, 0.999), eps=1e-08"
    assert repr(optim.Adam(lr=1)) == f"Adam(lr=1.0, {means}, weight_decay=0.0)"
    assert repr(optim.AdamW(0.5)) == f"AdamW(lr=0.5, {means}, weight_decay=0.01)"


# --- how a step behaves --------------------------------------------------------------------------


@pytest.mark.parametrize("make", EVERY)
def test_what_is_given_stays(make):
    params, grads = np.array([1.0, 2.0]), np.array([0.5, -1.0])
    params.flags.writeable = grads.flags.writeable = False
    opt = make(lr=0.1)
    first = opt.step(params, grads)
    kept = first.copy()
    opt.step(first, grads)
    assert (first == kept).all()
    assert params.tolist() == [1.0, 2.0]
    assert grads.tolist() == [0.5, -1.0]


@pytest.mark.parametrize("make", EVERY)
def test_a_gradient_array_may_be_used_again(make):
    opt, other = make(lr=0.1), make(lr=0.1)
    if make is optim.SGD:
        opt.momentum = other.momentum = 0.9
    buffer, p, q = np.empty(2), np.ones(2), np.ones(2)
    for k in range(5):
        buffer[:] = [k, -k]
        p = opt.step(p, buffer)
        q = other.step(q, np.array([k, -k]))
    assert (p == q).all()


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize(
    ("params", "grads"),
    [
        ([1.0, 2.0], (3, 4)),
        (np.array([1, 2]), np.array([3, 4], dtype=np.float32)),
        (np.array([1.0, 9.0, 2.0])[::2], [3.0, 4.0]),
    ],
)
def test_numbers_of_many_kinds(make, params, grads):
    found = make(lr=0.1).step(params, grads)
    assert found.dtype == np.float64
    assert found.tolist() == make(lr=0.1).step([1.0, 2.0], [3.0, 4.0]).tolist()


@pytest.mark.parametrize("make", EVERY)
def test_nothing_and_a_single_number(make):
    assert make().step([], []).tolist() == []
    assert make(lr=0.1).step(1.0, 2.0) == make(lr=0.1).step([1.0], [2.0])


@pytest.mark.parametrize("make", EVERY)
def test_nan_and_inf_warn_nobody(make):
    opt = make(lr=0.1)
    found = opt.step([1.0, 1.0, 1.0], [math.nan, math.inf, 1e200])
    assert math.isnan(found[0])
    assert found[2] < 1.0 or make is not optim.SGD
    assert opt.step(found, [0.0] * 3).shape == (3,)


def test_plain_sgd_forgets():
    opt = optim.SGD(lr=0.1)
    opt.step([1.0], [math.nan])
    assert opt.step([1.0], [1.0]) == close([0.9])


@pytest.mark.parametrize("make", EVERY)
def test_the_learning_rate_may_change(make):
    opt, other = make(lr=0.1), make(lr=0.4)
    p = opt.step([1.0], [2.0])
    opt.lr = 0.4
    q = other.step([1.0], [2.0])
    step = opt.step(p, [2.0]) - p
    assert opt.lr == 0.4
    if make is not optim.AdamW:  # its decay depends on the parameters
        assert step == close(other.step(q, [2.0]) - q)
    opt.lr = 0
    assert opt.step(p, [2.0]).tolist() == p.tolist()


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize("twin", [copy.deepcopy, lambda opt: pickle.loads(pickle.dumps(opt))])
def test_a_copy_goes_on_alike(make, twin):
    opt = make(lr=0.1)
    p = opt.step([1.0, 2.0], [0.5, -3.0])
    other = twin(opt)
    assert repr(other) == repr(opt)
    for _ in range(3):
        q = other.step(p, [1.0, 1.0])
        p = opt.step(p, [1.0, 1.0])
        assert (p == q).all()


@pytest.mark.parametrize(
    ("opt", "steps"),
    [
        (optim.SGD(lr=0.04), 900),
        (optim.SGD(lr=0.02, momentum=0.8, nesterov=True), 200),
        (optim.Adam(lr=0.3), 400),
        (optim.AdamW(lr=0.3, weight_decay=0.0), 400),
    ],
    ids=str,
)
def test_it_finds_the_minimum(opt, steps):
    f = gdc.compile(lambda p: (p[0] - 3.0) ** 2 + 10.0 * (p[1] + p[0]) ** 2)
    p = np.zeros(2)
    for _ in range(steps):
        p = opt.step(p, f.grad(p).p)
    assert p == pytest.approx([3.0, -3.0], abs=1e-4)


def test_a_model_trains_eagerly():
    model = nn.Neuron(2, activation="tanh")
    opt = optim.Adam(lr=0.1)
    losses = []
    for _ in range(30):
        loss = (model([2.0, -1.0]) - 0.5) ** 2
        model.zero_grad()
        loss.backward()
        model.flat = opt.step(model.flat, [p.grad for p in model.parameters()])
        losses.append(loss.data)
    assert losses[-1] < 0.05 * losses[0]


# --- bad input -----------------------------------------------------------------------------------


@pytest.mark.parametrize("make", EVERY)
def test_shapes_that_differ(make):
    with pytest.raises(ValueError, match=r"expected grads of shape \(3,\), as params, got \(2,\)"):
        make().step([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"expected grads of shape \(3,\), .* got \(1, 3\)"):
        make().step([1.0, 2.0, 3.0], [[1.0, 2.0, 3.0]])
    opt = make(lr=0.1)
    opt.step([1.0, 2.0], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"params of shape \(2,\), as in the step before, got \(1"):
        opt.step([1.0], [1.0])


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize(
    ("numbers", "error", "says"),
    [
        ([Value(1.0)], TypeError, "params as an array of numbers, .* dtype object; .*model.flat"),
        (["1"], TypeError, "params as an array of numbers, got one of dtype <U1"),
        ([1j], TypeError, "dtype complex128"),
        (None, TypeError, "dtype object"),
        ([[1.0], [1.0, 2.0]], ValueError, "params as a flat array, got lists of different lengths"),
    ],
)
def test_what_is_no_array(make, numbers, error, says):
    with pytest.raises(error, match=f"{make.__name__}.step: expected .*{says}"):
        make().step(numbers, [1.0])


@pytest.mark.parametrize("make", EVERY)
def test_a_gradient_with_its_names(make):
    params, grads = [1.0, 2.0], gdc.compile(lambda params, x: params[0] * x).grad([1.0, 2.0], 1.0)
    with pytest.raises(TypeError, match="got a Gradient; give one of its fields params, x"):
        make().step(params, grads)
    assert make().step(params, grads.params).shape == (2,)


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize("value", [-0.1, math.nan, math.inf, -math.inf])
def test_a_bad_learning_rate(make, value):
    says = f"{make.__name__}: expected lr as a number from 0 on and finite, got {value}"
    with pytest.raises(ValueError, match=says):
        make(lr=value)
    opt = make(lr=0.1)
    with pytest.raises(ValueError, match=says):
        opt.lr = value
    assert opt.lr == 0.1


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: optim.SGD(momentum=-1.0), ValueError, "SGD: expected momentum .* got -1.0"),
        (lambda: optim.SGD(weight_decay=math.nan), ValueError, "expected weight_decay .* got nan"),
        (lambda: optim.SGD(nesterov=True), ValueError, "SGD: nesterov needs momentum"),
        (lambda: optim.SGD([Value(1.0)]), TypeError, "SGD: expected lr .* got list"),
        (lambda: optim.SGD(Value(1.0)), TypeError, "SGD: expected lr as a number .* got Value"),
        (lambda: optim.Adam(lr="0.1"), TypeError, "Adam: expected lr as a number .* str '0.1'"),
        (lambda: optim.Adam(eps=-1e-8), ValueError, "Adam: expected eps .* got -1e-08"),
        (lambda: optim.Adam(betas=(0.9, 1.0)), ValueError, "expected betas .* below 1, got 1.0"),
        (lambda: optim.Adam(betas=(-0.1, 0.9)), ValueError, "expected betas .* got -0.1"),
        (lambda: optim.Adam(betas=0.9), ValueError, "expected betas as two numbers, got 0.9"),
        (lambda: optim.AdamW(betas=(0.9,)), ValueError, "AdamW: expected betas as two numbers"),
    ],
)
def test_bad_settings(make, error, says):
    with pytest.raises(error, match=says):
        make()


@pytest.mark.parametrize("make", EVERY)
def test_a_setting_that_does_not_exist(make):
    with pytest.raises(AttributeError):
        make().learning_rate = 0.1


# --- torch ---------------------------------------------------------------------------------------

SETTINGS = [
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9}),
    (optim.SGD, {"weight_decay": 0.1}),
    (optim.SGD, {"momentum": 0.9, "weight_decay": 0.01, "nesterov": True}),
    (optim.Adam, {}),
    (optim.Adam, {"betas": (0.8, 0.95), "eps": 1e-3}),
    (optim.Adam, {"weight_decay": 0.1}),
    (optim.AdamW, {}),
    (optim.AdamW, {"betas": (0.5, 0.9), "weight_decay": 0.5}),
]


@pytest.mark.peers
@pytest.mark.parametrize("schedule", [lambda k: 0.02, lambda k: 0.02 * (1.0 - 0.9 * k / 100)])
@pytest.mark.parametrize(("make", "settings"), SETTINGS, ids=str)
def test_a_hundred_steps_of_torch(make, settings, schedule):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    matrix, start = rng.normal(size=(7, 7)), rng.normal(size=7)
    theirs = torch.tensor(start, requires_grad=True)
    reference = getattr(torch.optim, make.__name__)([theirs], lr=schedule(0), **settings)
    opt, ours = make(lr=schedule(0), **settings), start
    for k in range(100):
        reference.param_groups[0]["lr"] = opt.lr = schedule(k)
        # The slopes of a function with valleys, at each one's own parameters.
        theirs.grad = torch.tensor(np.sin(matrix @ theirs.detach().numpy()))
        reference.step()
        ours = opt.step(ours, np.sin(matrix @ ours))
        assert ours == pytest.approx(theirs.detach().numpy(), rel=1e-12, abs=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize("make", EVERY)
def test_the_defaults_are_torchs(make):
    torch = pytest.importorskip("torch")
    ours = {name: p.default for name, p in inspect.signature(make).parameters.items()}
    reference = getattr(torch.optim, make.__name__)([torch.zeros(1)])
    assert ours == {name: reference.defaults[name] for name in ours}
