"""The works of `rows.py` by peers: micrograd, torch, jax, CasADi, numpy, and numba by hand.

For each topic, a side makes ready what can be made ready, and gives a function without arguments
that computes the value and the derivatives. The first call of it may compile. Each is written the
way its users write it, with gradients of weights and biases by layer where it has them.
"""

import ctypes
import math
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from gradcompile.jit.flags import REASSOCIATION
from tests.benchmarks.rows import GREEKS, Network, Step, Work, position
from tests.benchmarks.works import moons

Maker = Callable[[Work], Step]

FEW = 100
"""More rows are too many for micrograd, which takes 10 ms for each."""

HALVES = math.sqrt(0.5)


def numbers(found: Any) -> list[np.ndarray]:
    """The value, and all derivatives in one flat array, in the order of `nn.MLP` where by layer."""
    value, slopes = found
    if isinstance(slopes, list) and isinstance(slopes[0], tuple):
        rows = [np.column_stack([np.asarray(W), np.asarray(b)]) for W, b in slopes]
        slopes = [row.ravel() for row in rows]
    parts = slopes if isinstance(slopes, tuple | list) else [slopes]
    flat = [np.asarray(part, np.float64).ravel() for part in parts]
    return [np.asarray(value, np.float64).ravel(), np.concatenate(flat)]


# --- jax -----------------------------------------------------------------------------------------


def load_jax() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its import, which is not ours to judge
        import jax
    jax.config.update("jax_enable_x64", True)
    return jax


def jitted(function: Any, *args: Any) -> Step:
    jax = load_jax()
    jitted = jax.jit(function)
    given = jax.tree.map(jax.numpy.asarray, args)
    return lambda: jax.block_until_ready(jitted(*given))


def network_of(library: Any, network: Network, layers: Any, X: Any, y: Any) -> Any:
    """The loss by jax.numpy."""
    hidden = X
    for number, (W, b) in enumerate(layers):
        hidden = hidden @ W.T + b
        if number < len(layers) - 1:
            is_relu = network.activation == "relu"
            hidden = library.maximum(hidden, 0.0) if is_relu else library.tanh(hidden)
    if network.hinge:
        squares = sum(library.sum(W * W) + library.sum(b * b) for W, b in layers)
        return library.mean(library.maximum(1.0 - y * hidden[:, 0], 0.0)) + 1e-4 * squares
    shifted = hidden - library.max(hidden, axis=1, keepdims=True)
    chosen = library.take_along_axis(shifted, y.astype(int)[:, None], axis=1)[:, 0]
    return library.mean(library.log(library.sum(library.exp(shifted), axis=1)) - chosen)


def network_by_jax(work: Work, flat: bool = False) -> Step:
    jax, network = load_jax(), work.details

    def loss(params: Any, X: Any, y: Any) -> Any:
        layers = network.layers(params) if flat else params
        return network_of(jax.numpy, network, layers, X, y)

    params = work.arrays["params"]
    layers = params if flat else network.layers(params)
    return jitted(jax.value_and_grad(loss), layers, work.arrays["x"], work.arrays["y"])


def logistic_by_jax(work: Work) -> Step:
    jax = load_jax()

    def loss(params: Any, X: Any, y: Any) -> Any:
        return jax.numpy.mean(jax.nn.softplus(-y * (X @ params[:-1] + params[-1])))

    return jitted(jax.value_and_grad(loss), *work.arrays.values())


def _price(library: Any, erf: Any, *row: Any) -> Any:
    s, k, t, r, v = row
    root = v * library.sqrt(t)
    d1 = (library.log(s / k) + (r + 0.5 * v * v) * t) / root
    d2 = d1 - root
    cdf1, cdf2 = (0.5 * (1.0 + erf(d * HALVES)) for d in (d1, d2))
    return s * cdf1 - k * library.exp(-r * t) * cdf2


def black_scholes_by_jax(work: Work) -> Step:
    jax = load_jax()
    price = partial(_price, jax.numpy, jax.scipy.special.erf)
    return jitted(jax.vmap(jax.value_and_grad(price, (0, 2, 3, 4))), *work.arrays.values())


def neuron_by_jax(work: Work) -> Step:
    jax = load_jax()

    def neuron(x1: Any, x2: Any, w1: Any, w2: Any, b: Any) -> Any:
        return jax.numpy.tanh(x1 * w1 + x2 * w2 + b)

    return jitted(jax.value_and_grad(neuron, range(5)), *work.arrays["inputs"])


def robot_arm_by_jax(work: Work) -> Step:
    jax = load_jax()

    def hand(angles: Any) -> Any:
        found = jax.numpy.stack(position(list(angles), jax.numpy.cos, jax.numpy.sin))
        return found, found

    def both(angles: Any) -> Any:
        jacobian, found = jax.jacobian(hand, has_aux=True)(angles)
        return found, jacobian

    return jitted(both, work.arrays["angles"])


# --- torch ---------------------------------------------------------------------------------------


def _by_torch(
    work: Work, loss: Callable[..., Any], wrt: Any, *others: Any, compiled: bool = False
) -> Step:
    """Value, and gradients by leaves: a tensor, a list of tensors, or of pairs of them."""
    import torch

    torch.set_num_threads(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
    pairs = isinstance(wrt, list) and isinstance(wrt[0], tuple)
    arrays = [part for pair in wrt for part in pair] if pairs else wrt
    single = isinstance(arrays, np.ndarray)
    leaves = [
        torch.tensor(np.ascontiguousarray(a), dtype=torch.float64, requires_grad=True)
        for a in ([arrays] if single else arrays)
    ]
    given = leaves[0] if single else leaves
    if pairs:
        given = list(zip(leaves[::2], leaves[1::2], strict=True))
    tensors = [torch.from_numpy(other) for other in others]
    function = torch.compile(loss, dynamic=False) if compiled else loss

    def step() -> Any:
        value = function(given, *tensors)
        # The derivatives of a sum are those of each row: no row depends on another.
        total = value.sum() if value.ndim else value
        found = torch.autograd.grad(total, leaves)
        grads = list(zip(found[::2], found[1::2], strict=True)) if pairs else list(found)
        return value.detach(), grads

    return step


def network_by_torch(work: Work, compiled: bool = False) -> Step:
    import torch

    network = work.details

    def loss(layers: Any, X: Any, y: Any) -> Any:
        hidden = X
        for number, (W, b) in enumerate(layers):
            hidden = torch.nn.functional.linear(hidden, W, b)
            if number < len(layers) - 1:
                is_relu = network.activation == "relu"
                hidden = torch.relu(hidden) if is_relu else torch.tanh(hidden)
        if not network.hinge:
            return torch.nn.functional.cross_entropy(hidden, y)
        squares = sum((W * W).sum() + (b * b).sum() for W, b in layers)
        return torch.relu(1.0 - y * hidden[:, 0]).mean() + 1e-4 * squares

    x, y = work.arrays["x"], work.arrays["y"]
    target = y if network.hinge else y.astype(np.int64)
    layers = network.layers(work.arrays["params"])
    return _by_torch(work, loss, layers, x, target, compiled=compiled)


def logistic_by_torch(work: Work, compiled: bool = False) -> Step:
    import torch

    def loss(params: Any, X: Any, y: Any) -> Any:
        return torch.nn.functional.softplus(-y * (X @ params[:-1] + params[-1])).mean()

    return _by_torch(work, loss, *work.arrays.values(), compiled=compiled)


def black_scholes_by_torch(work: Work, compiled: bool = False) -> Step:
    import torch

    def price(wrt: Any, k: Any) -> Any:
        s, t, r, v = wrt
        return _price(torch, torch.erf, s, k, t, r, v)

    wrt = [work.arrays[name] for name in GREEKS]
    return _by_torch(work, price, wrt, work.arrays["k"], compiled=compiled)


def neuron_by_torch(work: Work, compiled: bool = False) -> Step:
    import torch

    def neuron(inputs: Any) -> Any:
        x1, x2, w1, w2, b = inputs
        return torch.tanh(x1 * w1 + x2 * w2 + b)

    return _by_torch(work, neuron, list(work.arrays["inputs"]), compiled=compiled)


def robot_arm_by_torch(work: Work, compiled: bool = False) -> Step:
    import torch

    angles = torch.tensor(work.arrays["angles"])

    def hand(angles: Any) -> Any:
        found = torch.stack(position(list(angles), torch.cos, torch.sin))
        return found, found

    def both(angles: Any) -> Any:
        jacobian, found = torch.func.jacrev(hand, has_aux=True)(angles)
        return found, jacobian

    function = torch.compile(both, dynamic=False) if compiled else both
    return lambda: function(angles)


# --- CasADi --------------------------------------------------------------------------------------

FLAGS = ("-O3", "-march=native", "-shared", "-fPIC", "-ffp-contract=fast", "-fassociative-math",
         "-fno-signed-zeros", "-fno-trapping-math")  # fmt: skip
"""The same liberties with sums that gradcompile takes in loops (`jit/flags.py`)."""


def compiler() -> str | None:
    """The system's C compiler, if there is one."""
    return next(filter(None, map(shutil.which, ("gcc", "clang", "cc"))), None)


class _Buffered:
    """A CasADi function that reads and writes numpy arrays, without any conversion."""

    def __init__(self, function: Any, inputs: Sequence[Any]) -> None:
        self.function = function
        self.inputs = [np.ascontiguousarray(x, np.float64).ravel() for x in inputs]
        self.results = [np.empty(function.nnz_out(k)) for k in range(function.n_out())]
        self.buffer, self.step = function.buffer()
        for k, array in enumerate(self.inputs):
            self.buffer.set_arg(k, memoryview(array))
        for k, array in enumerate(self.results):
            self.buffer.set_res(k, memoryview(array))

    def __call__(self) -> Any:
        self.step()
        value, *slopes = self.results
        return value, slopes


def by_casadi(function: Any, *inputs: Any, compiled: bool = False) -> Step:
    """By CasADi's virtual machine, or by the C code that it generates."""
    if not compiled:
        return _Buffered(function, inputs)
    import casadi

    # The folder lives as long as the process, which has the library open.
    folder = Path(tempfile.mkdtemp(prefix="gradcompile-bench-"))
    generator = casadi.CodeGenerator("work.c")
    generator.add(function)
    generator.generate(f"{folder}{os.sep}")
    command = [str(compiler()), *FLAGS, "work.c", "-o", "work.so", "-lm"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    ctypes.CDLL(str(folder / "work.so"))
    found = casadi.external(function.name(), str(folder / "work.so"))
    shutil.rmtree(folder)
    return _Buffered(found, inputs)


def network_by_casadi(work: Work, compiled: bool = False) -> Step:
    """By matrices, a row of data in each column: the order that the arrays have in memory."""
    import casadi as ca

    network, rows = work.details, work.rows
    params = ca.MX.sym("params", len(work.arrays["params"]))
    x = ca.MX.sym("x", network.sizes[0], rows)
    y = ca.MX.sym("y", 1 if network.hinge else network.sizes[-1], rows)
    hidden, start = x, 0
    for inputs, outputs in zip(network.sizes, network.sizes[1:], strict=False):
        end = start + outputs * (inputs + 1)
        layer = ca.reshape(params[start:end], inputs + 1, outputs)
        hidden = ca.mtimes(layer[:-1, :].T, hidden) + ca.repmat(layer[-1, :].T, 1, rows)
        if end < params.numel():
            hidden = ca.fmax(hidden, 0.0) if network.activation == "relu" else ca.tanh(hidden)
        start = end
    if network.hinge:
        loss = ca.sum2(ca.fmax(1.0 - y * hidden, 0.0)) / rows + 1e-4 * ca.sumsqr(params)
    else:  # the scores are small here: nothing is taken away from them
        losses = ca.log(ca.sum1(ca.exp(hidden))) - ca.sum1(y * hidden)
        loss = ca.sum2(losses) / rows
    function = ca.Function("work", [params, x, y], [loss, ca.gradient(loss, params)])
    return by_casadi(function, *_casadi_arrays(work), compiled=compiled)


def _casadi_arrays(work: Work) -> list[np.ndarray]:
    params, x, y = work.arrays.values()
    return [params, x, y if work.details.hinge else np.eye(work.details.sizes[-1])[y.astype(int)]]


def moons_by_casadi_rows(work: Work, compiled: bool = False) -> Step:
    """By scalars: the gradient of one row, mapped over all rows and summed up."""
    import casadi as ca

    network, rows = work.details, work.rows
    params, x, y = ca.SX.sym("params", 337), ca.SX.sym("x", 2), ca.SX.sym("y")
    hidden, start = x, 0
    for inputs, outputs in zip(network.sizes, network.sizes[1:], strict=False):
        end = start + outputs * (inputs + 1)
        layer = ca.reshape(params[start:end], inputs + 1, outputs).T
        hidden = ca.mtimes(layer[:, :-1], hidden) + layer[:, -1]
        if end < params.numel():
            hidden = ca.fmax(hidden, 0.0) if network.activation == "relu" else ca.tanh(hidden)
        start = end
    loss = ca.fmax(1.0 - y * hidden, 0.0)
    row = ca.Function("row", [params, x, y], [loss, ca.gradient(loss, params)])
    # The state of a fold is what was summed up; the parameters go along with it.
    state, data = ca.MX.sym("state", 675), ca.MX.sym("data", 3)
    value, slopes = row(state[338:], data[:2], data[2])
    after = ca.vertcat(state[0] + value, state[1:338] + slopes, state[338:])
    fold = ca.Function("fold", [state, data], [after]).fold(rows)
    p, X, Y = ca.MX.sym("p", 337), ca.MX.sym("X", 2, rows), ca.MX.sym("Y", 1, rows)
    total = fold(ca.vertcat(ca.MX.zeros(338), p), ca.vertcat(X, Y))
    value = total[0] / rows + 1e-4 * ca.sumsqr(p)
    gradient = total[1:338] / rows + 2e-4 * p
    function = ca.Function("work", [p, X, Y], [value, gradient])
    return by_casadi(function, *work.arrays.values(), compiled=compiled)


def logistic_by_casadi(work: Work, compiled: bool = False) -> Step:
    import casadi as ca

    params, x, y = work.arrays.values()
    w = ca.MX.sym("w", len(params))
    X, Y = ca.MX.sym("X", x.shape[1], work.rows), ca.MX.sym("Y", 1, work.rows)
    scores = -Y * (ca.mtimes(w[:-1].T, X) + w[-1])
    loss = ca.sum2(ca.fmax(scores, 0.0) + ca.log1p(ca.exp(-ca.fabs(scores)))) / work.rows
    function = ca.Function("work", [w, X, Y], [loss, ca.gradient(loss, w)])
    return by_casadi(function, params, x, y, compiled=compiled)


def black_scholes_by_casadi(work: Work, compiled: bool = False) -> Step:
    import casadi as ca

    row = {name: ca.SX.sym(name) for name in work.arrays}
    found = _price(ca, ca.erf, *row.values())
    slopes = [ca.gradient(found, row[name]) for name in GREEKS]
    function = ca.Function("row", list(row.values()), [found, *slopes]).map(work.rows)
    return by_casadi(function, *work.arrays.values(), compiled=compiled)


def neuron_by_casadi(work: Work, compiled: bool = False) -> Step:
    import casadi as ca

    x = ca.SX.sym("x", 5)
    found = ca.tanh(x[0] * x[2] + x[1] * x[3] + x[4])
    function = ca.Function("work", [x], [found, ca.gradient(found, x)])
    return by_casadi(function, work.arrays["inputs"], compiled=compiled)


def robot_arm_by_casadi(work: Work, compiled: bool = False) -> Step:
    import casadi as ca

    angles = ca.SX.sym("angles", 7)
    hand = ca.vertcat(*position(ca.vertsplit(angles), ca.cos, ca.sin))
    # Transposed: CasADi keeps columns, numpy rows.
    function = ca.Function("work", [angles], [hand, ca.densify(ca.jacobian(hand, angles)).T])
    return by_casadi(function, work.arrays["angles"], compiled=compiled)


# --- numpy, and numba by hand --------------------------------------------------------------------


def _njit(function: Any) -> Any:
    import numba

    return numba.njit(fastmath=set(REASSOCIATION), error_model="numpy")(function)


def _by_layers(network: Network, activate: Any, slope: Any, head: Any) -> Any:
    """Value and gradients of a network of three layers, by matrices."""

    def step(layers: Any, X: Any, y: Any) -> Any:
        W1, b1, W2, b2, W3, b3 = layers
        h1 = activate(X @ W1.T + b1)
        h2 = activate(h1 @ W2.T + b2)
        value, d3 = head(h2 @ W3.T + b3, y)
        d2 = (d3 @ W3) * slope(h2)
        d1 = (d2 @ W2) * slope(h1)
        grads = (d1.T @ X, d1.sum(axis=0), d2.T @ h1, d2.sum(axis=0), d3.T @ h2, d3.sum(axis=0))
        return value, grads

    return step


def _hinge(scores: Any, y: Any) -> Any:
    margins = 1.0 - y * scores[:, 0]
    slopes = np.where(margins > 0.0, -y, 0.0) / len(y)
    return np.maximum(margins, 0.0).mean(), slopes.reshape(-1, 1)


def _cross_entropy(scores: Any, y: Any) -> Any:
    exps = np.exp(scores - scores.max(axis=1, keepdims=True))
    softmax = exps / exps.sum(axis=1, keepdims=True)
    rows = np.arange(len(y))
    value = -np.log(softmax[rows, y]).mean()
    softmax[rows, y] -= 1.0
    return value, softmax / len(y)


def network_by_numpy(work: Work) -> Step:
    network: Network = work.details
    head: Any = _hinge if network.hinge else _cross_entropy
    is_relu = network.activation == "relu"
    activate: Any = (lambda z: np.maximum(z, 0.0)) if is_relu else np.tanh
    slope: Any = (lambda h: h > 0.0) if is_relu else (lambda h: 1.0 - h * h)
    function = _by_layers(network, activate, slope, head)
    params, x, y = work.arrays.values()
    target = y if network.hinge else y.astype(np.int64)
    layers = [np.ascontiguousarray(a) for pair in network.layers(params) for a in pair]
    decay = 1e-4 if network.hinge else 0.0

    def step() -> Any:
        value, grads = function(layers, x, target)
        if decay:
            value += decay * sum(float((a * a).sum()) for a in layers)
            grads = [g + 2 * decay * a for g, a in zip(grads, layers, strict=True)]
        return value, list(zip(grads[::2], grads[1::2], strict=True))

    return step


def moons_by_numba(work: Work) -> Step:
    """Row by row, in loops; the sums of each row are kept in small arrays."""
    is_relu = work.details.activation == "relu"
    n = 16

    @_njit
    def step(params: Any, X: Any, y: Any) -> Any:
        W1, W2 = params[: 3 * n].reshape(n, 3), params[3 * n : -n - 1].reshape(n, n + 1)
        W3, grads = params[-n - 1 :], np.zeros(len(params))
        G1, G2 = grads[: 3 * n].reshape(n, 3), grads[3 * n : -n - 1].reshape(n, n + 1)
        G3 = grads[-n - 1 :]
        h1, h2, d1 = np.empty(n), np.empty(n), np.empty(n)
        total, scale = 0.0, 1.0 / len(y)
        for r in range(len(y)):
            for i in range(n):
                z = W1[i, 0] * X[r, 0] + W1[i, 1] * X[r, 1] + W1[i, 2]
                h1[i] = max(z, 0.0) if is_relu else math.tanh(z)
            score = W3[n]
            for i in range(n):
                z = W2[i, n]
                for j in range(n):
                    z += W2[i, j] * h1[j]
                h2[i] = max(z, 0.0) if is_relu else math.tanh(z)
                score += W3[i] * h2[i]
            margin = 1.0 - y[r] * score
            if margin <= 0.0:
                continue
            total += margin
            d3 = -y[r] * scale
            G3[n] += d3
            d1[:] = 0.0
            for i in range(n):
                G3[i] += d3 * h2[i]
                slope = (1.0 if h2[i] > 0.0 else 0.0) if is_relu else 1.0 - h2[i] * h2[i]
                d2 = d3 * W3[i] * slope
                G2[i, n] += d2
                for j in range(n):
                    G2[i, j] += d2 * h1[j]
                    d1[j] += d2 * W2[i, j]
            for j in range(n):
                slope = (1.0 if h1[j] > 0.0 else 0.0) if is_relu else 1.0 - h1[j] * h1[j]
                d = d1[j] * slope
                G1[j, 0] += d * X[r, 0]
                G1[j, 1] += d * X[r, 1]
                G1[j, 2] += d
        decay = 0.0
        for k in range(len(params)):
            decay += params[k] * params[k]
            grads[k] += 2e-4 * params[k]
        return total * scale + 1e-4 * decay, grads

    params, x, y = work.arrays.values()
    return lambda: step(params, x, y)


def mlp_by_numba(work: Work) -> Step:
    """By matrices: numba hands them to the BLAS of scipy."""
    network: Network = work.details

    @_njit
    def activate(z: Any) -> Any:
        return np.maximum(z, 0.0)

    @_njit
    def slope(h: Any) -> Any:
        return np.where(h > 0.0, 1.0, 0.0)

    @_njit
    def head(scores: Any, y: Any) -> Any:
        value, scale = 0.0, 1.0 / len(y)
        for r in range(len(y)):
            row = scores[r]
            chosen = int(y[r])
            largest = row.max()
            value += largest - row[chosen]
            total = 0.0
            for c in range(len(row)):
                row[c] = math.exp(row[c] - largest)
                total += row[c]
            value += math.log(total)
            for c in range(len(row)):
                row[c] *= scale / total
            row[chosen] -= scale
        return value * scale, scores

    function = _njit(_by_layers(network, activate, slope, head))
    params, x, y = work.arrays.values()
    layers = tuple(np.ascontiguousarray(a) for pair in network.layers(params) for a in pair)

    def step() -> Any:
        value, grads = function(layers, x, y)
        return value, list(zip(grads[::2], grads[1::2], strict=True))

    return step


def logistic_by_numpy(work: Work) -> Step:
    params, x, y = work.arrays.values()

    def step() -> Any:
        scores = -y * (x @ params[:-1] + params[-1])
        exps = np.exp(-np.abs(scores))
        value = (np.maximum(scores, 0.0) + np.log1p(exps)).mean()
        slopes = -y * np.where(scores > 0, 1.0, exps) / (1.0 + exps) / len(y)
        return value, [slopes @ x, slopes.sum()]

    return step


def logistic_by_numba(work: Work) -> Step:
    @_njit
    def step(params: Any, X: Any, y: Any) -> Any:
        rows, n = X.shape
        grads, value = np.zeros(n + 1), 0.0
        for r in range(rows):
            score = params[n]
            for j in range(n):
                score += params[j] * X[r, j]
            score *= -y[r]
            exp = math.exp(-abs(score))
            value += max(score, 0.0) + math.log1p(exp)
            slope = -y[r] * (1.0 if score > 0.0 else exp) / (1.0 + exp)
            for j in range(n):
                grads[j] += slope * X[r, j]
            grads[n] += slope
        return value / rows, grads / rows

    params, x, y = work.arrays.values()
    return lambda: step(params, x, y)


def _greeks(library: Any, erf: Any, *row: Any) -> Any:
    """The price and its Greeks, as textbooks have them."""
    s, k, t, r, v = row
    root_t = library.sqrt(t)
    d1 = (library.log(s / k) + (r + 0.5 * v * v) * t) / (v * root_t)
    d2 = d1 - v * root_t
    cdf1, cdf2 = 0.5 * (1.0 + erf(d1 * HALVES)), 0.5 * (1.0 + erf(d2 * HALVES))
    discounted = k * library.exp(-r * t)
    density = s * library.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
    theta = density * v / (2.0 * root_t) + r * discounted * cdf2
    return s * cdf1 - discounted * cdf2, cdf1, theta, t * discounted * cdf2, density * root_t


def black_scholes_by_numpy(work: Work) -> Step:
    from scipy.special import erf

    def step() -> Any:
        value, *slopes = _greeks(np, erf, *work.arrays.values())
        return value, slopes

    return step


def black_scholes_by_numba(work: Work) -> Step:
    erf = math.erf

    @_njit
    def row(s: float, k: float, t: float, r: float, v: float) -> Any:
        root_t = math.sqrt(t)
        d1 = (math.log(s / k) + (r + 0.5 * v * v) * t) / (v * root_t)
        d2 = d1 - v * root_t
        cdf1, cdf2 = 0.5 * (1.0 + erf(d1 * HALVES)), 0.5 * (1.0 + erf(d2 * HALVES))
        discounted = k * math.exp(-r * t)
        density = s * math.exp(-0.5 * d1 * d1) / math.sqrt(2.0 * math.pi)
        theta = density * v / (2.0 * root_t) + r * discounted * cdf2
        return s * cdf1 - discounted * cdf2, cdf1, theta, t * discounted * cdf2, density * root_t

    @_njit
    def step(s: Any, k: Any, t: Any, r: Any, v: Any) -> Any:
        found = np.empty((5, len(s)))
        for i in range(len(s)):
            value, delta, theta, rho, vega = row(s[i], k[i], t[i], r[i], v[i])
            found[0, i], found[1, i], found[2, i] = value, delta, theta
            found[3, i], found[4, i] = rho, vega
        return found[0], found[1:]

    arrays = tuple(work.arrays.values())
    return lambda: step(*arrays)


def neuron_by_numba(work: Work) -> Step:
    @_njit
    def step(x1: float, x2: float, w1: float, w2: float, b: float) -> Any:
        y = math.tanh(x1 * w1 + x2 * w2 + b)
        slope = 1.0 - y * y
        return y, (w1 * slope, w2 * slope, x1 * slope, x2 * slope, slope)

    inputs = work.arrays["inputs"].tolist()
    return lambda: step(*inputs)


# --- micrograd -----------------------------------------------------------------------------------


def moons_by_micrograd(work: Work) -> Step:
    from micrograd.engine import Value
    from micrograd.nn import MLP

    made = moons(work.rows, Value, MLP)

    def step() -> Any:
        loss = made.step()
        return loss.data, made.gradient

    return step


# --- who has what --------------------------------------------------------------------------------

JAX = {"": network_by_jax, ", one flat array": partial(network_by_jax, flat=True)}

TOPICS: dict[str, dict[str, Maker]] = {
    "network": {
        **{f"jax.jit{how}": maker for how, maker in JAX.items()},
        "torch": network_by_torch,
        "CasADi": network_by_casadi,
        "numpy": network_by_numpy,
    },
    "logistic": {
        "jax.jit": logistic_by_jax,
        "torch": logistic_by_torch,
        "CasADi": logistic_by_casadi,
        "numpy": logistic_by_numpy,
        "numba": logistic_by_numba,
    },
    "black_scholes": {
        "jax.jit": black_scholes_by_jax,
        "torch": black_scholes_by_torch,
        "CasADi": black_scholes_by_casadi,
        "numpy": black_scholes_by_numpy,
        "numba": black_scholes_by_numba,
    },
    "neuron": {
        "jax.jit": neuron_by_jax,
        "torch": neuron_by_torch,
        "CasADi": neuron_by_casadi,
        "numba": neuron_by_numba,
    },
    "robot_arm": {
        "jax.jit": robot_arm_by_jax,
        "torch": robot_arm_by_torch,
        "CasADi": robot_arm_by_casadi,
    },
}

COMPILED = {"torch": "torch.compile", "CasADi": "CasADi, C"}
"""Peers that can compile what they else interpret, and what they are called then."""

MODULES = {"jax.jit": "jax", "torch": "torch", "CasADi": "casadi", "micrograd": "micrograd"}
"""What has to be installed; numba and numpy are."""


def sides(work: Work) -> dict[str, Callable[[], Step]]:
    """Who computes this work, and how it is made ready; peers that are not installed left out."""
    makers: dict[str, Maker] = dict(TOPICS[work.topic])
    if work.topic == "network" and work.details.hinge:
        makers["numba"] = moons_by_numba
        if work.rows <= FEW:  # for many rows, matrices are faster
            makers["CasADi, rows"] = moons_by_casadi_rows
        is_known = work.details.activation == "relu"  # micrograd has no tanh
        if work.rows <= FEW and is_known and find_spec("sklearn"):
            makers["micrograd"] = moons_by_micrograd
    elif work.topic == "network":
        makers["numba"] = mlp_by_numba
    found: dict[str, Callable[[], Step]] = {}
    for name, maker in makers.items():
        peer, _, how = name.partition(", ")
        if not installed(peer):
            continue
        found[name] = partial(maker, work)
        if peer in COMPILED and (peer != "CasADi" or compiler()):
            compiled = ", ".join(filter(None, [COMPILED[peer], how]))
            found[compiled] = partial(maker, work, compiled=True)  # type: ignore[call-arg]
    return found


def installed(peer: str) -> bool:
    """Is it there?"""
    return find_spec(MODULES.get(peer, "numpy")) is not None
