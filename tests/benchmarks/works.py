"""What is measured: scalar losses written with `Value`s, the way people write them with micrograd.

Each function makes a `Work`: parameters, and a loss that builds its graph anew at every call, as a
training loop without a compiler has to. Everything is drawn from fixed seeds.
"""

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import gradcompile as gdc
from gradcompile import Value, nn


@dataclass(frozen=True)
class Work:
    """A loss and what it is differentiated by.

    Attributes:
        parameters: the Values to differentiate by.
        loss: builds the graph of the loss.
    """

    parameters: list[Value]
    loss: Callable[[], Value]

    @property
    def flat(self) -> np.ndarray:
        """The numbers of the parameters."""
        return np.array([p.data for p in self.parameters])

    def step(self) -> Value:
        """What a step costs without a compiler: the graph, and its backward pass."""
        for p in self.parameters:
            p.grad = 0.0
        loss = self.loss()
        loss.backward()
        return loss

    @property
    def gradient(self) -> np.ndarray:
        """What the latest `step` found."""
        return np.array([p.grad for p in self.parameters])


# --- networks ------------------------------------------------------------------------------------


def moons_data(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The two moons as in the demo of micrograd, and their labels, -1 and 1."""
    from sklearn.datasets import make_moons

    np.random.seed(1337)
    X, y = make_moons(n_samples=rows, noise=0.1)
    return X, 2 * y - 1


def moons(rows: int = 100, value: Any = Value, mlp: Any = nn.MLP) -> Work:
    """The demo of micrograd, line by line; also with micrograd's own classes."""
    X, y = moons_data(rows)
    random.seed(1337)
    model = mlp(2, [16, 16, 1])

    def loss() -> Value:
        inputs = [list(map(value, xrow)) for xrow in X]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(y, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        return data_loss + reg_loss

    return Work(model.parameters(), loss)


def mlp(inputs: int = 784, hidden: int = 50, classes: int = 10) -> Work:
    """One row of a classifier with softmax cross-entropy."""
    random.seed(1)
    model = nn.MLP(inputs, [hidden, classes])
    for p in model.parameters():  # so that not all of the probability goes to one class
        p.data /= math.sqrt(hidden)
    row = [Value(random.random()) for _ in range(inputs)]
    return Work(model.parameters(), lambda: gdc.cross_entropy(model(row), classes // 3))


def transformer(
    positions: int = 8, embedding: int = 16, heads: int = 4, symbols: int = 27, longest: int = 16
) -> Work:
    """A language model of one layer on one text, as in Karpathy's microgpt."""
    random.seed(42)

    def matrix(rows: int, columns: int) -> list[list[Value]]:
        return [[Value(random.gauss(0, 0.2)) for _ in range(columns)] for _ in range(rows)]

    state = {
        "wte": matrix(symbols, embedding),
        "wpe": matrix(longest, embedding),
        "lm_head": matrix(symbols, embedding),
        **{f"attn_w{x}": matrix(embedding, embedding) for x in "qkvo"},
        "mlp_fc1": matrix(4 * embedding, embedding),
        "mlp_fc2": matrix(embedding, 4 * embedding),
    }
    text = [random.randrange(symbols) for _ in range(positions + 1)]

    def loss() -> Value:
        keys: list[list[Value]] = []
        values: list[list[Value]] = []
        losses = []
        for position, (symbol, following) in enumerate(itertools.pairwise(text)):
            x = [t + p for t, p in zip(state["wte"][symbol], state["wpe"][position], strict=True)]
            logits = gpt(state, heads, x, keys, values)
            losses.append(-softmax(logits)[following].log())
        return (1 / len(losses)) * sum(losses)

    return Work([p for rows in state.values() for row in rows for p in row], loss)


def gpt(
    state: dict[str, list[list[Value]]],
    heads: int,
    x: list[Value],
    keys: list[list[Value]],
    values: list[list[Value]],
) -> list[Value]:
    """The logits after an embedded symbol; its key and value join those of the symbols before."""
    x = rmsnorm(x)
    residual = x
    x = rmsnorm(x)
    query = linear(x, state["attn_wq"])
    keys.append(linear(x, state["attn_wk"]))
    values.append(linear(x, state["attn_wv"]))
    size = len(x) // heads
    attended = []
    for start in range(0, len(x), size):
        attended += attention(query, keys, values, range(start, start + size))
    x = linear(attended, state["attn_wo"])
    x = [a + b for a, b in zip(x, residual, strict=True)]
    residual = x
    x = rmsnorm(x)
    x = [xi.relu() for xi in linear(x, state["mlp_fc1"])]
    x = linear(x, state["mlp_fc2"])
    x = [a + b for a, b in zip(x, residual, strict=True)]
    return linear(x, state["lm_head"])


def attention(
    query: list[Value], keys: list[list[Value]], values: list[list[Value]], head: Sequence[int]
) -> list[Value]:
    """What one head reads at the positions so far."""
    weights = softmax([sum(query[j] * k[j] for j in head) / len(head) ** 0.5 for k in keys])
    return [sum(w * v[j] for w, v in zip(weights, values, strict=True)) for j in head]


def linear(x: list[Value], w: list[list[Value]]) -> list[Value]:
    return [sum(wi * xi for wi, xi in zip(row, x, strict=True)) for row in w]


def softmax(logits: list[Value]) -> list[Value]:
    largest = max(x.data for x in logits)
    exps = [(x - largest).exp() for x in logits]
    total = sum(exps)
    return [e / total for e in exps]


def rmsnorm(x: list[Value]) -> list[Value]:
    mean = sum(xi * xi for xi in x) / len(x)
    scale = (mean + 1e-5) ** -0.5
    return [xi * scale for xi in x]


# --- recurrences ---------------------------------------------------------------------------------


def rnn(steps: int = 200, hidden: int = 8, inputs: int = 3) -> Work:
    """A recurrent network that follows a noisy series."""
    rng = random.Random(0)

    def matrix(rows: int, columns: int) -> list[list[Value]]:
        return [[Value(rng.uniform(-0.5, 0.5)) for _ in range(columns)] for _ in range(rows)]

    W, U, V = matrix(hidden, hidden), matrix(hidden, inputs), matrix(1, hidden)
    b = [Value(0.1 * i) for i in range(hidden)]
    series = [[rng.gauss(0, 1) for _ in range(inputs + 1)] for _ in range(steps)]

    def loss() -> Value:
        total, h = 0.0, [0.0] * hidden
        for *x, target in series:
            h = [
                (sum(w * hj for w, hj in zip(W[i], h, strict=True))
                 + sum(u * xk for u, xk in zip(U[i], x, strict=True)) + b[i]).tanh()
                for i in range(hidden)
            ]  # fmt: skip
            predicted = sum(v * hi for v, hi in zip(V[0], h, strict=True))
            total = total + (predicted - target) ** 2
        return total

    return Work([p for matrix in (W, U, V) for row in matrix for p in row] + b, loss)


def pendulum(steps: int = 1000) -> Work:
    """A damped pendulum, integrated; how its last state depends on its first and on physics."""
    angle, speed, gravity, friction = [Value(x) for x in (1.0, 0.0, 9.81, 0.1)]

    def loss() -> Value:
        a, s, dt = angle, speed, 0.01
        for _ in range(steps):
            s = s + dt * (-gravity * a.sin() - friction * s)
            a = a + dt * s
        return a * a + s * s

    return Work([angle, speed, gravity, friction], loss)


# --- nothing to roll, and sums -------------------------------------------------------------------

BOUNDED = ("tanh", "sin", "cos", "sigmoid", "relu", "atan")
LARGE = 3.0
"""A number so large is made smaller by the operation that follows."""


def irregular(operations: int = 20_000, leaves: int = 50) -> Work:
    """Random operations on random operands: no two parts are alike."""
    rng = random.Random(operations)
    parameters = [Value(rng.uniform(-1, 1)) for _ in range(leaves)]

    def loss() -> Value:
        choice = random.Random(operations)
        values = list(parameters)
        unused = dict.fromkeys(parameters)
        # As many as there are operations, but for those that join what is unused in the end.
        while len(values) - leaves + len(unused) - 1 < operations:
            add(_random_operation(choice, *choice.choices(values, k=2)), values, unused)
        while len(unused) > 1:
            add(_random_binary(choice, *choice.sample(list(unused), 2)), values, unused)
        return values[-1]

    return Work(parameters, loss)


def add(value: Value, values: list[Value], unused: dict[Value, None]) -> None:
    values.append(value)
    for operand in value.operands:
        unused.pop(operand, None)
    unused[value] = None


def _random_operation(choice: random.Random, a: Value, b: Value) -> Value:
    if abs(a.data) > LARGE or choice.random() < 0.4:
        return getattr(gdc, choice.choice(BOUNDED))(a)
    return _random_binary(choice, a, b)


def _random_binary(choice: random.Random, a: Value, b: Value) -> Value:
    kind = choice.randrange(3)
    return a + b if kind == 0 else a - b if kind == 1 else a * b


def chain(additions: int = 1_000_000) -> Work:
    """`x[0] + x[1] + x[2] + ...`, one after the other."""
    x = _leaves(additions + 1)
    return Work(x, lambda: sum(x[1:], x[0]))


def tree(additions: int = 1_000_000) -> Work:
    """The same sum, of pairs, of pairs of pairs, and so on."""
    x = _leaves(additions + 1)

    def loss() -> Value:
        level = list(x)
        while len(level) > 1:
            paired = [a + b for a, b in zip(level[::2], level[1::2], strict=False)]
            level = paired + level[2 * len(paired) :]
        return level[0]

    return Work(x, loss)


def _leaves(count: int) -> list[Value]:
    rng = random.Random(count)
    return [Value(rng.uniform(-1, 1)) for _ in range(count)]


WORKS: dict[str, Callable[..., Work]] = {
    work.__name__: work for work in (moons, mlp, transformer, rnn, pendulum, irregular, chain, tree)
}
