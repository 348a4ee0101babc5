"""Machine learning: layers, small networks, attention, embeddings, regularisers."""

from dataclasses import dataclass

import numpy as np

from tests.whole.corpus.case import case

X = np.array([0.5, -1.2, 0.8])
W = np.array([[0.2, -0.5, 0.3], [0.7, 0.1, -0.4]])
B = np.array([0.1, -0.2])


def neuron(w, x, b):
    return np.tanh(sum(wi * xi for wi, xi in zip(w, x)) + b)


def dense(x, W, b, activation=np.tanh):
    return activation(W @ x + b).sum()


def dense_relu(x, W, b):
    h = W @ x + b
    h[h < 0] = 0
    return h.sum()


def mlp(params, x):
    for layer in params[:-1]:
        x = np.tanh(layer["W"] @ x + layer["b"])
    last = params[-1]
    return (last["W"] @ x + last["b"])[0]


class Linear:
    def __init__(self, weight, bias=None):
        self.weight = weight
        self.bias = bias

    def __call__(self, x):
        y = self.weight @ x
        if self.bias is not None:
            y = y + self.bias
        return y


class Net:
    def __init__(self):
        self.layers = [Linear(W, B), Linear(np.array([[1.0, -2.0]]))]

    def forward(self, x):
        h = np.maximum(self.layers[0](x), 0)
        return self.layers[1](h)[0]

    @staticmethod
    def penalty(w, order=2):
        return (np.abs(w) ** order).sum()

    @classmethod
    def default(cls, x):
        return cls().forward(x)


def layer_norm(x, gain=1.0, shift=0.0, eps=1e-5):
    mean, var = x.mean(), x.var()
    return ((x - mean) / np.sqrt(var + eps) * gain + shift)[0]


def batch_norm(X, gamma, beta, eps=1e-5):
    normed = (X - X.mean(axis=0)) / np.sqrt(X.var(axis=0) + eps)
    return np.sum((gamma * normed + beta) ** 3)


def rms_norm(x, weight):
    return np.dot(x / np.sqrt(np.mean(x**2) + 1e-6), weight)


def dropout(x, mask=(1, 0, 1), p=0.5, training=True):
    if not training:
        return x.sum()
    return (x * np.array(mask) / (1 - p)).sum()


def embedding(table, token=1):
    return np.sum(table[token] ** 2)


def bag_of_embeddings(table, tokens=(0, 1, 1)):
    return np.linalg.norm(table[list(tokens)].mean(axis=0))


def attention(q, K, V):
    scores = K @ q / np.sqrt(len(q))
    weights = np.exp(scores - scores.max())
    weights /= weights.sum()
    return (weights @ V).sum()


def self_attention(X, causal=True):
    n, d = X.shape
    scores = X @ X.T / np.sqrt(d)
    if causal:
        scores = np.where(np.tril(np.ones((n, n))) == 1, scores, -1e9)
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.sum(e / e.sum(axis=-1, keepdims=True) @ X)


def softmax_regression(W, x, label=0):
    z = W @ x
    return np.log(np.exp(z).sum()) - z[label]


def conv1d(x, kernel, stride=1):
    k = len(kernel)
    windows = np.stack([x[i : i + k] for i in range(0, len(x) - k + 1, stride)])
    return np.sum(np.maximum(windows @ kernel, 0))


def max_pool(x, size=2):
    return x.reshape(-1, size).max(axis=1).sum()


def conv2d(image, kernel):
    h, w = kernel.shape
    H, Wd = image.shape
    out = 0.0
    for i in range(H - h + 1):
        for j in range(Wd - w + 1):
            out += np.tanh((image[i : i + h, j : j + w] * kernel).sum())
    return out


def rnn(xs, w, u, b):
    h = 0.0
    for x in xs:
        h = np.tanh(w * x + u * h + b)
    return h


def gru_cell(h, x, p):
    z = 1 / (1 + np.exp(-(p["wz"] * x + p["uz"] * h)))
    r = 1 / (1 + np.exp(-(p["wr"] * x + p["ur"] * h)))
    n = np.tanh(p["wn"] * x + r * p["un"] * h)
    return (1 - z) * n + z * h


@dataclass
class LSTM:
    forget: tuple
    gate: tuple
    cell: tuple
    out: tuple


def lstm_cell(p: LSTM, x, h, c):
    def affine(weights):
        w, u, b = weights
        return w * x + u * h + b

    def sigmoid(z):
        return 1 / (1 + np.exp(-z))

    c = sigmoid(affine(p.forget)) * c + sigmoid(affine(p.gate)) * np.tanh(affine(p.cell))
    return sigmoid(affine(p.out)) * np.tanh(c)


def positional_encoding(position, i=1, d=8):
    return np.sin(position / 10000 ** (2 * i / d)) + np.cos(position / 10000 ** (2 * i / d))


def residual_block(x, W1, W2):
    return np.sum(x + W2 @ np.maximum(W1 @ x, 0))


def mixture_of_experts(x, gates, experts):
    logits = gates * x
    p = np.exp(logits) / np.exp(logits).sum()
    return sum(pi * np.tanh(e * x) for pi, e in zip(p, experts))


def vae_kl(mu, logvar):
    return -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar))


def reparameterised(mu, log_sigma, noise=0.7):
    z = mu + np.exp(log_sigma) * noise
    return np.where(z > 0, z**2, 0.5 * z)


def gradient_clip(g, max_norm=1.0):
    norm = np.linalg.norm(g)
    if norm > max_norm:
        g = g * (max_norm / norm)
    return g.sum()


def cosine_schedule(step, total=100.0, warmup=10.0, peak=0.1):
    if step < warmup:
        return peak * step / warmup
    progress = (step - warmup) / (total - warmup)
    return peak * 0.5 * (1 + np.cos(np.pi * progress))


def weight_decay(params, rate=1e-2):
    return rate * sum((p**2).sum() for p in params.values() if p.ndim > 1)


def bilinear(x, A, y):
    return np.einsum("i,ij,j->", x, A, y)


def k_means_loss(points, centers):
    d2 = ((points[:, None, :] - centers[None, :, :]) ** 2).sum(-1)
    return d2.min(axis=1).mean()


def perceptron_step(w, x, y, rate=0.1):
    if y * np.dot(w, x) <= 0:
        w = w + rate * y * x
    return (w**2).sum()


def actor_critic_clip(ratio, advantage, eps=0.2):
    return min(ratio * advantage, np.clip(ratio, 1 - eps, 1 + eps) * advantage)


def discounted_return(rewards, gamma=0.9):
    total = 0
    for r in reversed(rewards):
        total = r + gamma * total
    return total


def predicted_class(W, x):
    return int(np.argmax(W @ x)) * x.sum()


CASES = (
    case(neuron, [-3.0, 1.0], [2.0, 0.5], 6.9),
    case(dense, X, W, B),
    case(dense, X, W, B, activation=lambda z: np.maximum(z, 0)),
    case(dense_relu, X, W, B),
    case(mlp, [{"W": W, "b": B}, {"W": W[:1, :2], "b": B[:1]}], X),
    case(Linear(W[:1]).__call__, X),
    case(Net().forward, X),
    case(Net.penalty, W),
    case(Net.default, X),
    case(layer_norm, X),
    case(batch_norm, np.vstack([W, W[::-1] ** 2]), X, 0.3),
    case(rms_norm, X, W[0]),
    case(dropout, X),
    case(dropout, X, training=False),
    case(embedding, W),
    case(bag_of_embeddings, W),
    case(attention, X, W, W[::-1]),
    case(self_attention, W),
    case(softmax_regression, W, X),
    case(conv1d, np.array([0.3, -0.2, 0.9, 1.4, 0.6]), B),
    case(max_pool, np.array([0.3, -0.2, 0.9, 1.4])),
    case(conv2d, np.outer(X, X[::-1]), W[:, :2]),
    case(rnn, X, 0.5, 0.8, 0.1),
    case(gru_cell, 0.3, 0.8, {"wz": 0.1, "uz": 0.4, "wr": -0.3, "ur": 0.2, "wn": 0.9, "un": 0.5}),
    case(lstm_cell, LSTM((0.1, 0.2, 1.0), (0.3, -0.1, 0.0), (0.5, 0.4, 0.1), (0.2, 0.2, 0.2)),
         0.7, 0.1, -0.2),
    case(positional_encoding, 12.0),
    case(residual_block, X, W, W.T),
    case(mixture_of_experts, 0.7, X, [0.1, 0.5, -0.3]),
    case(vae_kl, X, 0.3 * X),
    case(reparameterised, 0.3, -0.5),
    case(gradient_clip, X),
    case(cosine_schedule, 40.0),
    case(weight_decay, {"W": W, "b": B}),
    case(bilinear, B, W, X),
    case(k_means_loss, np.vstack([W, X]), W[::-1] + 0.3),
    case(perceptron_step, X, W[0], -1.0),
    case(actor_critic_clip, 1.3, 0.8),
    case(discounted_return, [1.0, 0.0, 2.0]),
    case(predicted_class, W, X, refusal="argmax"),
)  # fmt: skip
