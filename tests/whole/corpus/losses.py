"""Losses: regression, classification, ranking, distances between distributions."""

from functools import partial

import numpy as np

from tests.whole.corpus.case import case

GUESS = np.array([0.2, 0.7, 0.9, 0.4])
TRUE = np.array([0.0, 1.0, 1.0, 0.0])
SCORES = np.array([1.2, -0.7, 0.4])
P = np.array([0.2, 0.5, 0.3])
Q = np.array([0.4, 0.25, 0.35])


def squared_error(y, target):
    return (y - target) ** 2


def mse(y_pred, y_true, reduction="mean"):
    loss = (y_pred - y_true) ** 2
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    return loss


def rmse(y_pred, y_true):
    return np.sqrt(np.mean(np.square(y_pred - y_true)))


def mae(y_pred, y_true):
    return np.mean(np.abs(y_pred - y_true))


def mape(y_pred, y_true, eps=1e-8):
    return 100 * np.mean(np.abs((y_true - y_pred) / np.maximum(np.abs(y_true), eps)))


def msle(y_pred, y_true):
    return np.mean((np.log1p(y_pred) - np.log1p(y_true)) ** 2)


def huber(residual, delta=1.0):
    if abs(residual) <= delta:
        return 0.5 * residual**2
    return delta * (abs(residual) - 0.5 * delta)


def huber_of_arrays(y_pred, y_true, delta=0.3):
    error = np.abs(y_pred - y_true)
    quadratic = np.minimum(error, delta)
    linear = error - quadratic
    return np.mean(0.5 * quadratic**2 + delta * linear)


def smooth_l1(x, y, beta=0.5):
    d = np.abs(x - y)
    return np.where(d < beta, 0.5 * d**2 / beta, d - 0.5 * beta).sum()


def pseudo_huber(r, delta=1.5):
    return delta**2 * (np.sqrt(1 + (r / delta) ** 2) - 1)


def log_cosh(y_pred, y_true):
    d = y_pred - y_true
    return np.mean(np.logaddexp(d, -d) - np.log(2))


def quantile_loss(y, q, tau=0.9):
    d = y - q
    return max(tau * d, (tau - 1) * d)


def pinball(y, q, taus=(0.1, 0.5, 0.9)):
    total = 0.0
    for tau, guess in zip(taus, q):
        d = y - guess
        total += tau * d if d >= 0 else (tau - 1) * d
    return total / len(taus)


def epsilon_insensitive(y_pred, y_true, epsilon=0.15):
    return np.sum(np.maximum(0, np.abs(y_pred - y_true) - epsilon))


def binary_cross_entropy(p, y, eps=1e-12):
    p = np.clip(p, eps, 1 - eps)
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def bce_with_logits(z, y, pos_weight=None):
    log_weight = 1.0
    if pos_weight is not None:
        log_weight = (pos_weight - 1) * y + 1
    return np.mean((1 - y) * z + log_weight * (np.log1p(np.exp(-np.abs(z))) + np.maximum(-z, 0)))


def cross_entropy(logits, label=1):
    shifted = logits - np.max(logits)
    return np.log(np.sum(np.exp(shifted))) - shifted[label]


def cross_entropy_of_rows(logits, labels=(2, 0)):
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_probs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return -log_probs[np.arange(len(labels)), list(labels)].mean()


def label_smoothing(logits, label=0, smoothing=0.1):
    log_probs = logits - np.log(np.sum(np.exp(logits)))
    target = np.full(len(logits), smoothing / len(logits))
    target[label] += 1 - smoothing
    return -(target * log_probs).sum()


def focal_loss(p, y, *, gamma=2.0, alpha=0.25):
    pt = p if y == 1 else 1 - p
    weight = alpha if y == 1 else 1 - alpha
    return -weight * (1 - pt) ** gamma * np.log(pt)


def hinge(score, label):
    return max(0, 1 - label * score)


def squared_hinge(w, X, y, C=0.5):
    margins = y * (X @ w)
    return 0.5 * w @ w + C * np.sum(np.maximum(0, 1 - margins) ** 2)


def multiclass_hinge(scores, target=0, margin=1.0):
    return sum(max(0, s - scores[target] + margin) for k, s in enumerate(scores) if k != target)


def modified_huber_loss(z):
    if z >= 1:
        return 0.0 * z
    elif z >= -1:
        return (1 - z) ** 2
    return -4 * z


def triplet_margin(anchor, positive, negative, margin=1.0):
    near = np.linalg.norm(anchor - positive)
    far = np.linalg.norm(anchor - negative)
    return max(near - far + margin, 0.0)


def contrastive(x1, x2, same=True, margin=2.0):
    d = np.sqrt(((x1 - x2) ** 2).sum())
    if same:
        return d**2
    return np.maximum(margin - d, 0) ** 2


def cosine_embedding(a, b, y=1, eps=1e-8):
    cos = a @ b / np.maximum(np.linalg.norm(a) * np.linalg.norm(b), eps)
    return 1 - cos if y == 1 else np.maximum(0, cos)


def margin_ranking(x1, x2, y, margin=0.1):
    return np.mean(np.maximum(0, -y * (x1 - x2) + margin))


def kl_divergence(p, q):
    return np.sum(p * np.log(p / q))


def jensen_shannon(p, q):
    m = (p + q) / 2
    return (kl_divergence(p, m) + kl_divergence(q, m)) / 2


def poisson_nll(log_rate, count, full=False, eps=1e-8):
    loss = np.exp(log_rate) - count * log_rate
    if full:
        stirling = count * np.log(count + eps) - count + 0.5 * np.log(2 * np.pi * (count + eps))
        loss = loss + np.where(count > 1, stirling, 0)
    return loss.mean()


def gaussian_nll(mean, target, var, eps=1e-6):
    var = np.clip(var, eps, None)
    return 0.5 * np.mean(np.log(var) + (mean - target) ** 2 / var)


def dice_loss(p, t, smooth=1):
    intersection = (p * t).sum()
    return 1 - (2.0 * intersection + smooth) / (p.sum() + t.sum() + smooth)


def tversky(p, t, alpha=0.3, beta=0.7):
    tp = np.sum(p * t)
    fp = np.sum(p * (1 - t))
    fn = np.sum((1 - p) * t)
    return 1 - tp / (tp + alpha * fp + beta * fn)


def wasserstein_1d(a, b):
    return np.mean(np.abs(np.sort(a) - np.sort(b)))


def tukey_biweight(r, c=4.685):
    return np.where(np.abs(r) < c, c**2 / 6 * (1 - (1 - (r / c) ** 2) ** 3), c**2 / 6).sum()


def ridge(w, X, y, lam=0.1, norm=lambda w: (w**2).sum()):
    return ((X @ w - y) ** 2).sum() / len(y) + lam * norm(w)


def elastic_net(params, X, y, alpha=0.5, l1_ratio=0.3):
    w, b = params["w"], params["b"]
    r = y - X @ w - b
    penalty = l1_ratio * np.abs(w).sum() + 0.5 * (1 - l1_ratio) * np.square(w).sum()
    return 0.5 * np.mean(r * r) + alpha * penalty


W = np.array([0.5, -0.3])
X = np.array([[1.0, 2.0], [0.3, -1.0], [-0.7, 0.4]])
Y = np.array([1.0, -1.0, -1.0])

CASES = (
    case(squared_error, 1.3, 0.4),
    case(mse, GUESS, TRUE),
    case(mse, GUESS, TRUE, reduction="sum"),
    case(rmse, GUESS, TRUE),
    case(mae, GUESS, TRUE),
    case(mape, GUESS, TRUE + 0.5),
    case(msle, GUESS, TRUE),
    case(huber, 0.4),
    case(huber, -2.4, 1.3),
    case(huber_of_arrays, GUESS, np.array([0.3, 1.2, 0.1, 0.45])),
    case(smooth_l1, GUESS, np.array([0.3, 1.5, 0.1, 0.45])),
    case(pseudo_huber, 0.8),
    case(log_cosh, GUESS, TRUE),
    case(quantile_loss, 1.0, 1.4),
    case(pinball, 0.5, [0.1, 0.45, 1.7]),
    case(epsilon_insensitive, GUESS, TRUE),
    case(binary_cross_entropy, GUESS, TRUE),
    case(bce_with_logits, SCORES, np.array([1.0, 0.0, 1.0])),
    case(bce_with_logits, SCORES, np.array([1.0, 0.0, 1.0]), pos_weight=2.0),
    case(cross_entropy, SCORES),
    case(cross_entropy_of_rows, np.array([[0.1, 0.7, -0.3], [1.2, 0.4, -0.6]])),
    case(label_smoothing, SCORES),
    case(focal_loss, 0.7, 1, static=("y",)),
    case(hinge, 0.3, -1.0),
    case(squared_hinge, W, X, Y),
    case(multiclass_hinge, SCORES),
    case(modified_huber_loss, -0.4),
    case(modified_huber_loss, -1.9),
    case(triplet_margin, W, W + 0.7, W - 0.4),
    case(contrastive, W, W + 0.6, same=False),
    case(cosine_embedding, np.array([1.0, 2.0, 0.5]), SCORES),
    case(margin_ranking, GUESS, TRUE + 0.1, np.array([1.0, 1.0, -1.0, -1.0])),
    case(kl_divergence, P, Q),
    case(jensen_shannon, P, Q),
    case(poisson_nll, SCORES, np.array([3.0, 0.5, 2.0]), full=True),
    case(gaussian_nll, GUESS, TRUE, np.array([0.5, 1.5, 0.3, 0.8])),
    case(dice_loss, GUESS, TRUE),
    case(tversky, GUESS, TRUE),
    case(wasserstein_1d, SCORES, np.array([0.1, 0.9, -1.4])),
    case(tukey_biweight, np.array([0.5, -3.0, 6.0])),
    case(ridge, W, X, Y),
    case(elastic_net, {"w": W, "b": 0.2}, X, Y),
    case(partial(huber, delta=0.5), 0.8),
)
