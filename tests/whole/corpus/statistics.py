"""Statistics: moments, robust estimates, regressions, kernels, information."""

import numpy as np

from tests.whole.corpus.case import case

X = np.array([1.2, 0.4, 3.1, 2.2, 0.9])
Y = np.array([0.8, 0.1, 2.9, 1.7, 1.3])
W = np.array([0.1, 0.3, 0.2, 0.15, 0.25])


def mean_by_hand(xs):
    total = 0
    for x in xs:
        total += x
    return total / len(xs)


def weighted_mean(x, w):
    return np.average(x, weights=w)


def geometric_mean(x):
    return np.exp(np.mean(np.log(x)))


def harmonic_mean(x):
    return len(x) / np.sum(1.0 / x)


def power_mean(x, p=3):
    return np.mean(x**p) ** (1 / p)


def trimmed_mean(x, cut=1):
    return np.sort(x)[cut:-cut].mean()


def winsorised_mean(x, low=0.5, high=2.5):
    return np.clip(x, low, high).mean()


def median(x):
    return np.median(x)


def median_of_three(a, b, c):
    return sorted([a, b, c])[1]


def midrange(x):
    return (x.max() + x.min()) / 2


def spread(x):
    return np.ptp(x)


def mad(x):
    return np.mean(np.abs(x - np.mean(x)))


def standard_error(x):
    return np.std(x, ddof=1) / np.sqrt(len(x))


def coefficient_of_variation(x):
    return x.std() / x.mean()


def skewness(x):
    z = (x - x.mean()) / x.std()
    return np.mean(z**3)


def excess_kurtosis(x):
    m = np.mean(x)
    return np.mean((x - m) ** 4) / np.mean((x - m) ** 2) ** 2 - 3


def covariance(x, y):
    return ((x - x.mean()) * (y - y.mean())).sum() / (len(x) - 1)


def pearson(x, y):
    xm, ym = x - x.mean(), y - y.mean()
    return np.sum(xm * ym) / np.sqrt(np.sum(xm**2) * np.sum(ym**2))


def r_squared(y, f):
    return 1 - ((y - f) ** 2).sum() / ((y - y.mean()) ** 2).sum()


def t_statistic(a, b):
    na, nb = len(a), len(b)
    va, vb = np.var(a, ddof=1), np.var(b, ddof=1)
    return (a.mean() - b.mean()) / np.sqrt(va / na + vb / nb)


def z_score_outlier_free_sum(x, limit=1.2):
    z = (x - x.mean()) / x.std()
    return np.sum(x[np.abs(z) < limit])


def masked_mean(x, mask=(True, False, True, True, False)):
    return x[np.array(mask)].mean()


def nan_safe_mean(x):
    return np.nan_to_num(x, nan=0.0).mean()


def chi_square(observed, expected):
    return np.sum((observed - expected) ** 2 / expected)


def entropy(p, base=2):
    p = p / p.sum()
    return -np.sum(p * np.log(p)) / np.log(base)


def gini_impurity(p):
    return 1 - sum(pi**2 for pi in p)


def gini_coefficient(x):
    ordered = np.sort(x)
    n = len(x)
    ranks = np.arange(1, n + 1)
    return 2 * np.sum(ranks * ordered) / (n * np.sum(ordered)) - (n + 1) / n


def simple_slope(x, y):
    xbar, ybar = np.mean(x), np.mean(y)
    return np.sum((x - xbar) * (y - ybar)) / np.sum((x - xbar) ** 2)


def polynomial_residual(coefficients, x, y):
    return np.sum((np.polyval(coefficients, x) - y) ** 2)


def logistic_loglik(beta, features, labels):
    eta = features @ beta
    return np.sum(labels * eta - np.logaddexp(0, eta))


def poisson_regression(beta, x, counts):
    rate = np.exp(beta[0] + beta[1] * x)
    return np.sum(counts * np.log(rate) - rate)


def aic(residuals, k=2):
    n = residuals.size
    return n * np.log(np.sum(residuals**2) / n) + 2 * k


def rbf_kernel(a, b, length=1.0):
    return np.exp(-0.5 * np.sum((a - b) ** 2) / length**2)


def gram_sum(x, length):
    d = x[:, np.newaxis] - x
    return np.exp(-(d**2) / (2 * length**2)).sum()


def matern32(r, length=0.8):
    s = np.sqrt(3) * abs(r) / length
    return (1 + s) * np.exp(-s)


def kernel_density(x, data, h=0.5):
    u = (x - data) / h
    return np.mean(np.exp(-0.5 * u**2)) / (h * np.sqrt(2 * np.pi))


def epanechnikov(u):
    return 0.75 * (1 - u**2) * (np.abs(u) <= 1)


def loess_weight(d, dmax=2.0):
    u = abs(d) / dmax
    if u < 1:
        return (1 - u**3) ** 3
    return 0.0


def ewma_variance(x, lam=0.94):
    var = x[0] ** 2
    for r in x[1:]:
        var = lam * var + (1 - lam) * r**2
    return var


def autoregressive_loglik(phi, sigma, x):
    e = x[1:] - phi * x[:-1]
    return -0.5 * np.sum(e**2) / sigma**2 - (len(x) - 1) * np.log(sigma)


def welford(x):
    mean, m2 = 0.0, 0.0
    for n, v in enumerate(x, start=1):
        delta = v - mean
        mean += delta / n
        m2 += delta * (v - mean)
    return m2 / (len(x) - 1)


def empirical_cdf(t, data, width=0.2):
    return np.mean(1 / (1 + np.exp(-(t - data) / width)))


def soft_rank_sum(x):
    return sum(np.tanh(a - b) for i, a in enumerate(x) for b in x[:i])


def concordance(x, y):
    s = 0.0
    for i in range(1, 3):
        s += np.sign(x[i] - x[0]) * (y[i] - y[0])
    return s


def histogram_count(x):
    counts, _ = np.histogram(x, bins=3)
    return counts[0]


def mode_of_largest(x):
    return x[np.argmax(x)]


def between_group_variance(groups):
    grand = sum(sum(g) for g in groups.values()) / sum(len(g) for g in groups.values())
    return sum(len(g) * (sum(g) / len(g) - grand) ** 2 for g in groups.values())


def least_squares(design, y):
    coefficients = np.linalg.solve(design.T @ design, design.T @ y)
    residuals = y - design @ coefficients
    return coefficients[-1], residuals @ residuals


def multivariate_normal_logpdf(x, mean, covariance):
    factor = np.linalg.cholesky(covariance)
    scaled = np.linalg.solve(factor, x - mean)
    return -0.5 * (scaled @ scaled) - np.log(np.diag(factor)).sum() - len(x) * np.log(2 * np.pi) / 2


def gaussian_divergence(mean, covariance, prior):
    ratio = np.linalg.inv(prior) @ covariance
    _, logarithm = np.linalg.slogdet(ratio)
    return 0.5 * (np.trace(ratio) - len(mean) + mean @ np.linalg.solve(prior, mean) - logarithm)


CASES = (
    case(mean_by_hand, [1.0, 2.5, 0.5]),
    case(weighted_mean, X, W),
    case(geometric_mean, X),
    case(harmonic_mean, X),
    case(power_mean, X),
    case(trimmed_mean, X),
    case(winsorised_mean, X),
    case(median, X),
    case(median, X[:4]),
    case(median_of_three, 0.7, 0.2, 0.4),
    case(midrange, X),
    case(spread, X),
    case(mad, X),
    case(standard_error, X),
    case(coefficient_of_variation, X),
    case(skewness, X),
    case(excess_kurtosis, X),
    case(covariance, X, Y),
    case(pearson, X, Y),
    case(r_squared, X, Y),
    case(t_statistic, X, Y),
    case(z_score_outlier_free_sum, X, refusal="choose elements"),
    case(masked_mean, X),
    case(nan_safe_mean, X),
    case(chi_square, X, Y),
    case(entropy, W),
    case(gini_impurity, W),
    case(gini_coefficient, X),
    case(simple_slope, X, Y),
    case(polynomial_residual, np.array([0.5, -0.2, 1.0]), X, Y),
    case(logistic_loglik, W[:2], np.array([X, Y]).T, np.array([1.0, 0.0, 1.0, 1.0, 0.0])),
    case(poisson_regression, [0.1, 0.4], X, Y),
    case(aic, X),
    case(rbf_kernel, X, Y),
    case(gram_sum, X, 1.3),
    case(matern32, -0.7),
    case(kernel_density, 0.8, X),
    case(epanechnikov, 0.4),
    case(loess_weight, -1.2),
    case(ewma_variance, X),
    case(autoregressive_loglik, 0.6, 1.1, X),
    case(welford, X),
    case(empirical_cdf, 1.0, X),
    case(soft_rank_sum, X),
    case(concordance, X, Y),
    case(histogram_count, X, refusal="histogram"),
    case(mode_of_largest, X, refusal="argmax"),
    case(between_group_variance, {"a": [1.0, 2.0], "b": [0.5, 0.7, 1.1]}),
    case(least_squares, np.vander(X, 3), Y),
    case(multivariate_normal_logpdf, X[:3], Y[:3], np.diag(W[:3]) + 0.05),
    case(gaussian_divergence, X[:2], np.diag(W[:2]) + 0.05, np.eye(2) + 0.1),
)
