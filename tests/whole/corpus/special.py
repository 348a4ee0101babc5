"""Functions that use scipy.special, as statisticians and actuaries write them."""

import numpy as np
import pytest

from tests.whole.corpus.case import case

special = pytest.importorskip("scipy.special")

from scipy.special import (  # noqa: E402
    betaln,
    digamma,
    erf,
    erfc,
    expit,
    gammaln,
    log_ndtr,
    logit,
    ndtr,
    xlogy,
)  # fmt: skip

X = np.array([0.2, 0.5, 0.3])
Z = np.array([0.7, -1.2, 0.3, 2.1])


def gelu(x):
    return 0.5 * x * (1 + erf(x / np.sqrt(2)))


def gelu_layer(x):
    return np.sum(x * ndtr(x))


def normal_sf(x):
    return 0.5 * erfc(x / np.sqrt(2))


def black_scholes_call(S, K, T, r, sigma):
    d1 = (np.log(S / K) + (r + 0.5 * sigma**2) * T) / (sigma * np.sqrt(T))
    d2 = d1 - sigma * np.sqrt(T)
    return S * ndtr(d1) - K * np.exp(-r * T) * ndtr(d2)


def probit_loglik(beta, x, labels):
    eta = x * beta
    return np.where(labels > 0, log_ndtr(eta), log_ndtr(-eta)).sum()


def logistic_loglik(beta, x, labels):
    p = expit(beta * x)
    return np.sum(xlogy(labels, p) + special.xlog1py(1 - labels, -p))


def beta_logpdf(x, a, b):
    return (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - betaln(a, b)


def gamma_logpdf(x, shape, rate=1.0):
    if x <= 0:
        return -np.inf
    return shape * np.log(rate) - gammaln(shape) + (shape - 1) * np.log(x) - rate * x


def student_t_logpdf(x, df):
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi)
    return constant - (df + 1) / 2 * np.log1p(x**2 / df)


def dirichlet_logpdf(p, alpha):
    return gammaln(alpha.sum()) - gammaln(alpha).sum() + np.sum((alpha - 1) * np.log(p))


def negative_binomial_logpmf(k, r, p):
    return gammaln(k + r) - gammaln(k + 1) - gammaln(r) + r * np.log(p) + k * np.log1p(-p)


def poisson_loglik(log_rate, counts):
    return np.sum(counts * log_rate - np.exp(log_rate) - gammaln(counts + 1))


def binomial_deviance(p, y=0.3):
    return 2 * (xlogy(y, y / p) + xlogy(1 - y, (1 - y) / (1 - p)))


def entropy(p):
    return special.entr(p).sum()


def kl(p, q):
    return np.sum(xlogy(p, p / q))


def gamma_entropy(k, theta):
    return k + np.log(theta) + gammaln(k) + (1 - k) * digamma(k)


def logit_normal_logpdf(x, mu, sigma):
    z = (logit(x) - mu) / sigma
    return -0.5 * z**2 - np.log(sigma * np.sqrt(2 * np.pi)) - np.log(x * (1 - x))


def normal_quantile(p, mu=0.0, sigma=1.0):
    return mu + sigma * special.ndtri(p)


def normal_by_erfinv(u, scale):
    return scale * np.sqrt(2) * special.erfinv(2 * u - 1)


def truncated_normal_logpdf(x, a, b):
    if x < a or x > b:
        return -np.inf
    return -0.5 * x**2 - 0.5 * np.log(2 * np.pi) - np.log(ndtr(b) - ndtr(a))


def skew_normal_logpdf(x, alpha):
    return np.log(2) - 0.5 * x**2 - 0.5 * np.log(2 * np.pi) + log_ndtr(alpha * x)


def log_loss(z, y):
    return -np.sum(y * special.log_expit(z) + (1 - y) * special.log_expit(-z))


def softmax_cross_entropy(z, label=2):
    return special.logsumexp(z) - z[label]


def attention_weights(z):
    return special.softmax(z)[0]


def diffusion_front(x, t, D=0.3):
    return 0.5 * erfc(x / (2 * np.sqrt(D * t)))


def ewald_real(r, alpha=0.8):
    return erfc(alpha * r) / r


def bessel_beam(r):
    return special.j0(r) ** 2


CASES = (
    case(gelu, 0.7),
    case(gelu_layer, Z),
    case(normal_sf, 0.7),
    case(black_scholes_call, 100.0, 105.0, 0.5, 0.02, 0.25),
    case(probit_loglik, 0.7, Z, np.array([1.0, -1.0, 1.0, -1.0])),
    case(logistic_loglik, 0.7, Z, np.array([0.9, 0.1, 0.8, 0.3])),
    case(beta_logpdf, 0.3, 2.0, 3.5),
    case(gamma_logpdf, 0.8, 2.5),
    case(student_t_logpdf, 0.8, 4.5),
    case(dirichlet_logpdf, X, np.array([1.5, 2.5, 0.8])),
    case(negative_binomial_logpmf, 3.0, 2.5, 0.4),
    case(poisson_loglik, Z, np.array([3.0, 0.5, 1.0, 6.0])),
    case(binomial_deviance, 0.4),
    case(entropy, X),
    case(kl, X, X[::-1] + 0.1),
    case(gamma_entropy, 2.5, 0.7),
    case(logit_normal_logpdf, 0.3, 0.1, 0.8),
    case(normal_quantile, 0.3),
    case(normal_by_erfinv, 0.3, 1.5),
    case(truncated_normal_logpdf, 0.3, -1.0, 2.0),
    case(skew_normal_logpdf, 0.3, 2.0),
    case(log_loss, Z, np.array([0.9, 0.1, 0.8, 0.3])),
    case(softmax_cross_entropy, Z, refusal="choose elements"),
    case(attention_weights, Z),
    case(diffusion_front, 0.7, 1.2),
    case(ewald_real, 1.2),
    case(bessel_beam, 1.2, refusal="j0"),
)
