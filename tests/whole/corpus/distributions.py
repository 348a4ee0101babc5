"""Densities, likelihoods, moments: as one writes them for a posterior."""

from collections import namedtuple
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from tests.whole.corpus.case import case

LOG_2PI = np.log(2 * np.pi)
DATA = np.array([1.3, 0.4, 2.2, 0.9])


def normal_pdf(x, mu=0.0, sigma=1.0):
    return np.exp(-0.5 * ((x - mu) / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))


def normal_logpdf(x, mu, sigma):
    return -0.5 * ((x - mu) / sigma) ** 2 - np.log(sigma) - 0.5 * LOG_2PI


def normal_log_likelihood(params, data):
    mu, log_sigma = params
    return sum(normal_logpdf(x, mu, np.exp(log_sigma)) for x in data)


def multivariate_normal_logpdf(x, mean, precision):
    d = x - mean
    return -0.5 * d @ precision @ d - 0.5 * len(x) * LOG_2PI


def bivariate_normal(x, y, rho):
    assert -1 < rho < 1, "not a correlation"
    q = (x**2 - 2 * rho * x * y + y**2) / (1 - rho**2)
    return np.exp(-q / 2) / (2 * np.pi * np.sqrt(1 - rho**2))


def lognormal_pdf(x, s):
    if x <= 0:
        return 0.0
    return 1 / (s * x * np.sqrt(2 * np.pi)) * np.exp(-(np.log(x) ** 2) / (2 * s**2))


def exponential_logpdf(x, rate):
    return np.log(rate) - rate * x if x >= 0 else -np.inf


def laplace_logpdf(x, loc=0, scale=1):
    return -np.abs(x - loc) / scale - np.log(2 * scale)


def cauchy_pdf(x, x0, gamma):
    return 1 / (np.pi * gamma * (1 + ((x - x0) / gamma) ** 2))


def logistic_cdf(x, mu=0.0, s=1.0):
    return 1 / (1 + np.exp(-(x - mu) / s))


def gumbel_logpdf(x, mu, beta):
    z = (x - mu) / beta
    return -(z + np.exp(-z)) - np.log(beta)


def weibull_pdf(x, k, lam):
    return np.where(x > 0, k / lam * (x / lam) ** (k - 1) * np.exp(-((x / lam) ** k)), 0.0)


def pareto_logpdf(x, alpha, xm=1.0):
    if x < xm:
        return -np.inf
    return np.log(alpha) + alpha * np.log(xm) - (alpha + 1) * np.log(x)


def uniform_pdf(x, a, b):
    return 1 / (b - a) if a <= x <= b else 0.0


def triangular_pdf(x, a, b, c):
    if x < a or x > b:
        return 0
    if x < c:
        return 2 * (x - a) / ((b - a) * (c - a))
    return 2 * (b - x) / ((b - a) * (b - c))


def kumaraswamy(x, a, b):
    return a * b * x ** (a - 1) * (1 - x**a) ** (b - 1)


def rayleigh_loglik(sigma, xs):
    return np.sum(np.log(xs / sigma**2) - xs**2 / (2 * sigma**2))


def maxwell_pdf(v, a):
    return np.sqrt(2 / np.pi) * v**2 * np.exp(-(v**2) / (2 * a**2)) / a**3


def bernoulli_loglik(logit, successes, trials):
    p = 1 / (1 + np.exp(-logit))
    return successes * np.log(p) + (trials - successes) * np.log1p(-p)


def geometric_logpmf(k, p):
    return (k - 1) * np.log1p(-p) + np.log(p)


def poisson_logpmf(rate, counts=(3, 1, 4)):
    log_factorials = [sum(np.log(j) for j in range(1, k + 1)) for k in counts]
    return sum(k * np.log(rate) - rate - f for k, f in zip(counts, log_factorials))


def binomial_pmf(p, k=3, n=7):
    choose = 1.0
    for j in range(k):
        choose *= (n - j) / (j + 1)
    return choose * p**k * (1 - p) ** (n - k)


def zero_inflated_poisson(count, pi, rate):
    if count == 0:
        return np.log(pi + (1 - pi) * np.exp(-rate))
    return np.log(1 - pi) + count * np.log(rate) - rate


def von_mises_unnormalised(theta, mu, kappa):
    return np.exp(kappa * np.cos(theta - mu))


def skew_normal_unnormalised(x, alpha):
    return 2 * normal_pdf(x) * logistic_cdf(1.702 * alpha * x)


def asymmetric_laplace(x, m, lam, kappa):
    s = np.sign(x - m)
    return lam / (kappa + 1 / kappa) * np.exp(-(x - m) * lam * s * kappa**s)


def mixture_loglik(weights, means, x, sigma=0.8):
    weights = np.exp(weights) / np.sum(np.exp(weights))
    return np.log(sum(w * normal_pdf(x, m, sigma) for w, m in zip(weights, means)))


def dirichlet_kernel(p, alpha):
    return np.prod(p ** (alpha - 1))


def half_cauchy_prior(tau, scale=2.5):
    if tau < 0:
        return -np.inf
    return np.log(2) - np.log(np.pi * scale) - np.log(1 + (tau / scale) ** 2)


def truncated_exponential(x, rate, upper):
    x = np.clip(x, 0, upper)
    return np.sum(np.log(rate) - rate * x - np.log(-np.expm1(-rate * upper)))


def student_t_kernel(x, nu, loc=0.0, scale=1.0):
    z = (x - loc) / scale
    return -(nu + 1) / 2 * np.log1p(z**2 / nu) - np.log(scale)


def kl_of_normals(mu1, s1, mu2, s2):
    return np.log(s2 / s1) + (s1**2 + (mu1 - mu2) ** 2) / (2 * s2**2) - 0.5


def entropy_of_normal(cov_diagonal):
    d = cov_diagonal.shape[0]
    return 0.5 * (d * (1 + LOG_2PI) + np.log(cov_diagonal).sum())


Normal = namedtuple("Normal", "loc scale")


def product_of_normals(p, q):
    precision = 1 / p.scale**2 + 1 / q.scale**2
    loc = (p.loc / p.scale**2 + q.loc / q.scale**2) / precision
    return Normal(loc, precision**-0.5).loc


@dataclass
class Hyper:
    mu: float
    tau: float
    sigma: float = 1.0


def eight_schools(hyper: Hyper, theta, y, se):
    prior = normal_logpdf(theta, hyper.mu, hyper.tau).sum()
    return prior + normal_logpdf(y, theta, se * hyper.sigma).sum()


def linear_regression_posterior(p, x, y):
    yhat = p.intercept + p.slope * x
    prior = -0.5 * p.intercept**2 / 100 - 0.5 * p.slope**2 / 100
    return prior + np.sum(normal_logpdf(y, yhat, np.exp(p.log_noise)))


class Gamma:
    """A gamma density without its constant."""

    def __init__(self, shape, rate):
        self.shape = shape
        self.rate = rate

    def log_kernel(self, x):
        if x <= 0:
            return -float("inf")
        return (self.shape - 1) * np.log(x) - self.rate * x

    def __call__(self, x):
        return np.exp(self.log_kernel(x))


CASES = (
    case(normal_pdf, 0.3),
    case(normal_pdf, 0.3, sigma=1.5),
    case(normal_logpdf, 0.3, 0.1, 1.5),
    case(normal_log_likelihood, (0.5, 0.2), DATA),
    case(
        multivariate_normal_logpdf,
        np.array([0.3, 0.5]),
        np.array([0.1, -0.2]),
        np.array([[2.0, 0.3], [0.3, 1.5]]),
    ),
    case(bivariate_normal, 0.3, -0.4, 0.6),
    case(lognormal_pdf, 0.8, 0.5),
    case(exponential_logpdf, 0.8, 1.7),
    case(laplace_logpdf, 0.8),
    case(cauchy_pdf, 0.8, 0.1, 0.6),
    case(logistic_cdf, 0.8, 0.3, 0.5),
    case(gumbel_logpdf, 0.8, 0.3, 0.5),
    case(weibull_pdf, 0.8, 1.5, 1.2),
    case(pareto_logpdf, 1.8, 2.5),
    case(uniform_pdf, 0.4, -0.2, 1.1),
    case(triangular_pdf, 0.4, 0.0, 1.0, 0.6),
    case(kumaraswamy, 0.4, 2.0, 3.5),
    case(rayleigh_loglik, 1.4, DATA),
    case(maxwell_pdf, 0.9, 0.7),
    case(bernoulli_loglik, 0.3, 4.0, 10.0),
    case(geometric_logpmf, 3.0, 0.4),
    case(poisson_logpmf, 2.5),
    case(binomial_pmf, 0.35),
    case(zero_inflated_poisson, 2.0, 0.3, 1.4),
    case(von_mises_unnormalised, 0.4, 0.1, 2.0),
    case(skew_normal_unnormalised, 0.4, 2.0),
    case(asymmetric_laplace, 0.8, 0.2, 1.5, 0.7),
    case(mixture_loglik, [0.1, -0.3, 0.4], [-1.0, 0.2, 1.3], 0.5),
    case(dirichlet_kernel, np.array([0.2, 0.5, 0.3]), np.array([1.5, 2.5, 0.8])),
    case(half_cauchy_prior, 1.7),
    case(truncated_exponential, np.array([0.3, 1.2, 2.9]), 0.8, 2.0),
    case(student_t_kernel, 0.7, 4.0),
    case(kl_of_normals, 0.3, 0.8, -0.1, 1.2),
    case(entropy_of_normal, np.array([0.5, 1.5, 2.5])),
    case(product_of_normals, Normal(0.3, 1.2), Normal(-0.4, 0.7)),
    case(eight_schools, Hyper(0.4, 1.3, 0.9), DATA[:2], DATA[2:], np.array([1.5, 0.8])),
    case(
        linear_regression_posterior,
        SimpleNamespace(intercept=0.1, slope=0.9, log_noise=-0.2),
        DATA,
        1.1 * DATA + 0.3,
    ),
    case(Gamma(2.5, 1.2).log_kernel, 0.8),
    case(Gamma(2.5, 1.2), 0.8),
)
