"""The two moons, as in the demo of the micrograd repository: points, network, loss, training.

>>> X, y = points()
>>> loss(network(), X, y)
Value(data=0.8958441028683222, grad=0.0)
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from gradcompile import nn
from gradcompile.graph.value import Value
from gradcompile.optim import SGD
from gradcompile.support.arrays import FloatArray

SEED = 1337
"""The seed of the points and of the weights."""

LAYERS = (16, 16, 1)
"""How many neurons each layer of the network has."""

STEPS = 100
"""How many steps the network is trained."""


def points(rows: int = 100, noise: float = 0.1, seed: int = SEED) -> tuple[FloatArray, FloatArray]:
    """Draw points on two half circles that interlock, and their labels, -1 and 1.

    Bit for bit those of scikit-learn, which is no dependency: `np.random.seed(seed)`, then
    `make_moons(rows, noise=noise)`.

    Args:
        rows: how many points.
        noise: the standard deviation of what moves each point away from its half circle.
        seed: of the order of the points and of the noise.

    Example:
        >>> X, y = points()
        >>> X.shape, y[:5]
        ((100, 2), array([-1., -1.,  1., -1.,  1.]))
    """
    generator = np.random.RandomState(seed)
    upper, lower = (np.linspace(0, np.pi, n) for n in (rows // 2, rows - rows // 2))
    x1 = np.append(np.cos(upper), 1 - np.cos(lower))
    x2 = np.append(np.sin(upper), 1 - np.sin(lower) - 0.5)
    labels = np.repeat([-1.0, 1.0], [len(upper), len(lower)])
    order = np.arange(rows)
    generator.shuffle(order)
    X = np.stack([x1, x2], axis=1)[order]
    return X + generator.normal(scale=noise, size=X.shape), labels[order]


def network(seed: int = SEED) -> nn.MLP:
    """Make the network of the demo: two hidden layers of 16 neurons, 337 parameters.

    Example:
        >>> len(network().parameters())
        337
    """
    state = random.getstate()  # the caller's random numbers go on as if this had drawn none
    try:
        random.seed(seed)
        return nn.MLP(2, LAYERS)
    finally:
        random.setstate(state)


def loss(model: nn.MLP, X: FloatArray, y: FloatArray) -> Value:
    """Compute the mean hinge loss of all rows, and a little weight decay."""
    scores = [model([Value(x1), Value(x2)]) for x1, x2 in X.tolist()]
    margins = [yi * score for yi, score in zip(y.tolist(), scores, strict=True)]
    hinges = [(1 - margin).relu() for margin in margins]
    decay = 1e-4 * sum(p * p for p in model.parameters())
    total: Value = sum(hinges) * (1.0 / len(hinges)) + decay
    return total


def rate(step: int) -> float:
    """Return the learning rate of a step: it falls from 1 to 0.1."""
    return 1.0 - 0.9 * step / STEPS


def scores(params: FloatArray, X: FloatArray) -> FloatArray:
    """Compute the score of each row under these parameters: by numpy, all rows at once.

    Example:
        >>> X, y = points()
        >>> accuracy(scores(network().flat, X), y)
        0.5
    """
    outputs, rest = X, params
    for size in LAYERS:
        count = size * (outputs.shape[1] + 1)
        neurons, rest = rest[:count].reshape(size, -1), rest[count:]
        outputs = outputs @ neurons[:, :-1].T + neurons[:, -1]
        if rest.size:  # the last layer has no activation
            outputs = np.maximum(outputs, 0.0)
    return outputs[:, 0]


def accuracy(scores: FloatArray, y: FloatArray) -> float:
    """Return how many of the scores have the sign of the label, as a part of 1."""
    return float(np.mean((scores > 0) == (y > 0)))


@dataclass(frozen=True)
class Training:
    """The way of the parameters.

    Attributes:
        losses: before each step.
        params: before each step, and after the last.
    """

    losses: list[float]
    params: list[FloatArray]


def train(
    value_and_grad: Callable[[FloatArray], tuple[float, FloatArray]],
    params: FloatArray,
    steps: Iterable[int] = range(STEPS),
) -> Training:
    """Descend along the gradient over all rows, as in the demo.

    Args:
        value_and_grad: the loss and its gradient, of the parameters.
        params: where to start.
        steps: the numbers of the steps; what shows progress may stand around them.
    """
    done = Training([], [params])
    descent = SGD(lr=1.0)
    for step in steps:
        value, slopes = value_and_grad(done.params[-1])
        descent.lr = rate(step)
        done.losses.append(value)
        done.params.append(descent.step(done.params[-1], slopes))
    return done


def eager(
    model: nn.MLP, X: FloatArray, y: FloatArray
) -> Callable[[FloatArray], tuple[float, FloatArray]]:
    """Return the loss and its gradient as the lecture has them: by a new graph each step."""

    def value_and_grad(params: FloatArray) -> tuple[float, FloatArray]:
        model.flat = params
        total = loss(model, X, y)
        model.zero_grad()
        total.backward()
        return total.data, np.array([p.grad for p in model.parameters()])

    return value_and_grad
