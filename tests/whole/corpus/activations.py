"""Activations and the little functions between layers."""

import math

import numpy as np

from tests.whole.corpus.case import case

Z = np.array([0.7, -1.2, 0.3, 2.1])


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def stable_sigmoid(x):
    if x >= 0:
        return 1 / (1 + np.exp(-x))
    z = np.exp(x)
    return z / (1 + z)


def relu(x):
    return max(0.0, x)


def relu_by_mask(x):
    return (x * (x > 0)).sum()


def leaky_relu(x, negative_slope=0.01):
    return x if x > 0 else negative_slope * x


def prelu(x, a):
    return np.where(x >= 0, x, a * x).sum()


def elu(x, alpha=1.0):
    return x if x > 0 else alpha * (np.exp(x) - 1)


def celu(x, alpha=1.3):
    return np.maximum(0, x) + np.minimum(0, alpha * (np.exp(x / alpha) - 1))


def selu(x):
    alpha, scale = 1.6732632423543772, 1.0507009873554805
    return scale * np.where(x > 0, x, alpha * np.expm1(x)).sum()


def gelu(x, approximate="none"):
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    t = 1 / (1 + 0.3275911 * abs(x) / np.sqrt(2))  # erf by Abramowitz and Stegun
    coefficients = (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)
    poly = sum(c * t ** (k + 1) for k, c in enumerate(coefficients))
    erf = (1 - poly * np.exp(-(x**2) / 2)) * (1 if x > 0 else -1)
    return 0.5 * x * (1 + erf)


def gelu_by_math(x):
    return 0.5 * x * (1 + math.erf(x / math.sqrt(2)))


def silu(x):
    return x / (1 + np.exp(-x))


def swish(x, beta=1.0):
    return (x * sigmoid(beta * x)).mean()


def mish(x):
    return x * np.tanh(np.log1p(np.exp(x)))


def softplus(x, beta=1, threshold=20):
    if x * beta > threshold:
        return x
    return np.log(1 + np.exp(beta * x)) / beta


def softsign(x):
    return x / (1 + abs(x))


def hardtanh(x, min_val=-1.0, max_val=1.0):
    return np.clip(x, min_val, max_val).sum()


def hard_sigmoid(x):
    return min(max(x / 6 + 0.5, 0), 1)


def hard_swish(x):
    return (x * np.clip(x + 3, 0, 6) / 6).sum()


def relu6(x):
    return np.minimum(np.maximum(x, 0), 6).sum()


def hardshrink(x, lambd=0.5):
    if -lambd <= x <= lambd:
        return 0.0
    return x


def softshrink(x, lambd=0.5):
    return np.sign(x) @ np.maximum(np.abs(x) - lambd, 0)


def tanhshrink(x):
    return x - np.tanh(x)


def threshold(x, value=0.5, replacement=-20.0):
    return x if x > value else replacement


def log_sigmoid(x):
    return min(x, 0) - np.log1p(np.exp(-abs(x)))


def softmax_entropy(z):
    e = np.exp(z - z.max())
    p = e / e.sum()
    return -(p * np.log(p)).sum()


def softmax(z, axis=-1):
    e = np.exp(z - np.max(z, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def logsumexp(a, b=None):
    a_max = np.max(a)
    terms = np.exp(a - a_max)
    if b is not None:
        terms = b * terms
    return np.log(np.sum(terms)) + a_max


def glu(x):
    a, b = np.split(x, 2)
    return np.sum(a * sigmoid(b))


def maxout(x, W, b):
    return (W @ x + b).max()


def bent_identity(x):
    return (np.sqrt(x**2 + 1) - 1) / 2 + x


def gaussian_rbf(x, centers, gamma=0.5):
    return [np.exp(-gamma * (x - c) ** 2) for c in centers]


def squash(v, eps=1e-9):
    n2 = np.sum(v**2)
    return (n2 / (1 + n2) * v / np.sqrt(n2 + eps)).sum()


def activate(x, kind="relu"):
    table = {
        "relu": lambda x: np.maximum(x, 0),
        "tanh": np.tanh,
        "sigmoid": sigmoid,
        "id": lambda x: x,
    }
    return table[kind](x).sum()


def signed_magnitudes(x):
    return np.where(x >= 0, 1.0, -1.0) * np.abs(x) @ x


CASES = (
    case(sigmoid, 0.4),
    case(sigmoid, Z),
    case(stable_sigmoid, -1.7),
    case(relu, 0.8),
    case(relu, -0.8),
    case(relu_by_mask, Z),
    case(leaky_relu, -0.8),
    case(prelu, Z, 0.25),
    case(elu, -0.6),
    case(celu, -0.6),
    case(selu, Z),
    case(gelu, 0.9, approximate="tanh"),
    case(gelu, -0.9),
    case(gelu_by_math, 0.9, refusal="math"),
    case(silu, 1.1),
    case(swish, Z),
    case(mish, 0.5),
    case(softplus, 0.9),
    case(softplus, 25.0),
    case(softsign, -0.7),
    case(hardtanh, Z),
    case(hard_sigmoid, 1.4),
    case(hard_swish, Z),
    case(relu6, Z),
    case(hardshrink, 0.9),
    case(hardshrink, 0.2),
    case(softshrink, Z),
    case(tanhshrink, 0.6),
    case(threshold, 0.9),
    case(log_sigmoid, -1.1),
    case(softmax_entropy, Z),
    case(softmax, Z),
    case(logsumexp, Z),
    case(logsumexp, Z, b=np.array([1.0, 0.5, 2.0, 0.25])),
    case(glu, Z),
    case(maxout, Z, np.array([[0.1, 0.4, -0.2, 0.3], [0.5, 0.1, 0.2, 0.7]]), np.array([0.1, -0.2])),
    case(bent_identity, 0.3),
    case(gaussian_rbf, 0.3, [0.0, 0.5, 1.0]),
    case(squash, Z),
    case(activate, Z),
    case(activate, Z, "tanh"),
    case(signed_magnitudes, Z),
)
