"""Finance: payoffs, prices, curves, risk."""

from collections import namedtuple
from dataclasses import dataclass, field

import numpy as np

from tests.whole.corpus.case import case


def norm_cdf(x):
    """Abramowitz and Stegun 26.2.17, as in many a spreadsheet."""
    k = 1 / (1 + 0.2316419 * abs(x))
    poly = k * (
        0.319381530 + k * (-0.356563782 + k * (1.781477937 + k * (-1.821255978 + k * 1.330274429)))
    )
    tail = np.exp(-x * x / 2) / np.sqrt(2 * np.pi) * poly
    return 1 - tail if x >= 0 else tail


def norm_pdf(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def call_payoff(S, K):
    return max(S - K, 0)


def put_payoff(S, K):
    return np.maximum(K - S, 0.0)


def straddle(S, K):
    return max(S - K, 0) + max(K - S, 0)


def butterfly(S, k1, k2, k3):
    return sum(w * max(S - k, 0.0) for w, k in [(1, k1), (-2, k2), (1, k3)])


def digital(S, K, cash=1.0):
    return cash if S > K else 0.0


def capped_call(S, K, cap):
    return min(max(S - K, 0), cap - K)


def barrier_payoff(path, K=1.0, barrier=1.5):
    if any(s > barrier for s in path):
        return 0.0
    return max(path[-1] - K, 0)


def asian_payoff(path, K):
    return np.maximum(path.mean() - K, 0)


def lookback(path):
    return path[-1] - path.min()


def basket_call(spots, weights, K):
    return max(np.dot(spots, weights) - K, 0)


def best_of(spots, strikes):
    return max(s - k for s, k in zip(spots, strikes))


def black_scholes(S, K, T, r, sigma, kind="call"):
    d1 = (np.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
    d2 = d1 - sigma * np.sqrt(T)
    if kind == "call":
        return S * norm_cdf(d1) - K * np.exp(-r * T) * norm_cdf(d2)
    elif kind == "put":
        return K * np.exp(-r * T) * norm_cdf(-d2) - S * norm_cdf(-d1)
    raise ValueError(f"unknown kind {kind}")


def bachelier(F, K, sigma, T):
    s = sigma * np.sqrt(T)
    d = (F - K) / s
    return (F - K) * norm_cdf(d) + s * norm_pdf(d)


def binomial_tree(S, K, r, sigma, T=1.0, steps=4, american=True):
    dt = T / steps
    u = np.exp(sigma * np.sqrt(dt))
    d = 1 / u
    p = (np.exp(r * dt) - d) / (u - d)
    values = [np.maximum(K - S * u**j * d ** (steps - j), 0) for j in range(steps + 1)]
    for n in reversed(range(steps)):
        for j in range(n + 1):
            hold = np.exp(-r * dt) * (p * values[j + 1] + (1 - p) * values[j])
            exercise = K - S * u**j * d ** (n - j)
            values[j] = np.maximum(hold, exercise) if american else hold
    return values[0]


def present_value(cashflows, rate):
    return sum(c / (1 + rate) ** t for t, c in enumerate(cashflows))


def npv(rate, flows=(-100.0, 30.0, 40.0, 50.0)):
    t = np.arange(len(flows))
    return np.sum(np.array(flows) / (1 + rate) ** t)


def bond_price(y, coupon, face=100.0, n=5, freq=2):
    c = coupon * face / freq
    periods = np.arange(1, n * freq + 1)
    discount = (1 + y / freq) ** -periods
    return np.sum(c * discount) + face * discount[-1]


def macaulay_duration(y, coupon=5.0, face=100.0, n=4):
    flows = [coupon] * (n - 1) + [coupon + face]
    pvs = [c / (1 + y) ** (t + 1) for t, c in enumerate(flows)]
    return sum((t + 1) * pv for t, pv in enumerate(pvs)) / sum(pvs)


def annuity(rate, n=10):
    return (1 - (1 + rate) ** (-n)) / rate


def mortgage_payment(principal, rate, years=30):
    r = rate / 12
    n = years * 12
    return principal * r * (1 + r) ** n / ((1 + r) ** n - 1)


def nelson_siegel(tau, beta0, beta1, beta2, lam):
    x = tau / lam
    slope = (1 - np.exp(-x)) / x
    return beta0 + beta1 * slope + beta2 * (slope - np.exp(-x))


def forward_rate(curve, t1=1, t2=2):
    return (curve[t1] / curve[t2] - 1) / (t2 - t1)


def discount_by_table(t, rates):
    zero = np.interp(t, [0.5, 1.0, 2.0, 5.0], rates)
    return np.exp(-zero * t)


def zero_rate_by_knots(t, knots=(0.5, 1.0, 2.0), rates=(0.01, 0.015, 0.02)):
    return np.interp(t, knots, rates)


def sharpe(returns, risk_free=0.0):
    excess = returns - risk_free
    return excess.mean() / excess.std(ddof=1)


def sortino(returns, target=0.0):
    downside = np.minimum(returns - target, 0)
    return (returns.mean() - target) / np.sqrt(np.mean(downside**2))


def max_drawdown(prices):
    peak, worst = prices[0], 0.0
    for p in prices:
        peak = max(peak, p)
        worst = max(worst, 1 - p / peak)
    return worst


def portfolio_variance(weights, cov):
    return weights @ cov @ weights


def mean_variance_utility(weights, mu, cov, risk_aversion=3.0, cost=0.01):
    return (
        weights @ mu - risk_aversion / 2 * weights.T @ cov @ weights - cost * np.abs(weights).sum()
    )


def crra_utility(c, gamma=2.0):
    if gamma == 1:
        return np.log(c)
    return (c ** (1 - gamma) - 1) / (1 - gamma)


def prospect_value(x, alpha=0.88, lam=2.25):
    return x**alpha if x >= 0 else -lam * (-x) ** alpha


def expected_shortfall(losses, q=0.5):
    ordered = np.sort(losses)
    tail = ordered[int(q * len(losses)) :]
    return tail.mean()


def tax(income, brackets=((0, 0.1), (10.0, 0.2), (40.0, 0.37))):
    owed = 0.0
    for (low, rate), (high, _) in zip(brackets, brackets[1:] + ((float("inf"), 0),)):
        if income > low:
            owed += rate * (min(income, high) - low)
    return owed


def garch_loglik(params, returns):
    omega, alpha, beta = params
    variance = np.var(returns)
    total = 0.0
    for r in returns:
        total += -0.5 * (np.log(2 * np.pi * variance) + r**2 / variance)
        variance = omega + alpha * r**2 + beta * variance
    return total


def vasicek_bond(r, T, *, kappa=0.5, theta=0.04, sigma=0.01):
    B = (1 - np.exp(-kappa * T)) / kappa
    A = (theta - sigma**2 / (2 * kappa**2)) * (B - T) - sigma**2 * B**2 / (4 * kappa)
    return np.exp(A - B * r)


SABR = namedtuple("SABR", ["alpha", "beta", "rho", "nu"])


def sabr_vol(F, K, T, p):
    if abs(F - K) < 1e-12:
        return p.alpha / F ** (1 - p.beta)
    fk = (F * K) ** ((1 - p.beta) / 2)
    z = p.nu / p.alpha * fk * np.log(F / K)
    x = np.log((np.sqrt(1 - 2 * p.rho * z + z**2) + z - p.rho) / (1 - p.rho))
    return p.alpha / fk * z / x * (1 + p.rho * p.beta * p.nu * p.alpha / (4 * fk) * T)


@dataclass
class Leg:
    notional: float
    rate: float
    times: list = field(default_factory=lambda: [1.0, 2.0, 3.0])


def swap_value(fixed: Leg, floating: Leg, discount):
    value = 0
    for sign, leg in ((1, floating), (-1, fixed)):
        value += sign * sum(leg.notional * leg.rate * np.exp(-discount * t) for t in leg.times)
    return value


def kelly(f, p, b):
    return p * np.log(1 + f * b) + (1 - p) * np.log(1 - f)


def implied_vol(price, S=1.0, K=1.1, T=0.5, r=0.01, iterations=5):
    sigma = 0.3
    for _ in range(iterations):
        d1 = (np.log(S / K) + (r + sigma**2 / 2) * T) / (sigma * np.sqrt(T))
        sigma -= (black_scholes(S, K, T, r, sigma) - price) / (S * norm_pdf(d1) * np.sqrt(T))
    return sigma


PATH = np.array([1.0, 1.1, 0.95, 1.2])
RETURNS = np.array([0.02, -0.01, 0.03, -0.02, 0.015])
COV = np.array([[0.04, 0.01, 0.0], [0.01, 0.09, 0.02], [0.0, 0.02, 0.05]])
WEIGHTS = np.array([0.5, 0.3, 0.2])

CASES = (
    case(call_payoff, 110.0, 100.0),
    case(call_payoff, 90.0, 100.0),
    case(put_payoff, 90.0, 100.0),
    case(straddle, 90.0, 100.0),
    case(butterfly, 97.0, 90.0, 100.0, 110.0),
    case(digital, 101.0, 100.0),
    case(capped_call, 107.0, 100.0, 110.0),
    case(barrier_payoff, PATH),
    case(asian_payoff, PATH, 0.9),
    case(lookback, PATH),
    case(basket_call, np.array([1.0, 2.0, 1.5]), WEIGHTS, 1.1),
    case(best_of, [1.0, 2.0, 1.5], [1.1, 1.4, 1.2]),
    case(norm_cdf, -0.4),
    case(black_scholes, 100.0, 105.0, 0.5, 0.02, 0.25),
    case(black_scholes, 100.0, 105.0, 0.5, 0.02, 0.25, kind="put"),
    case(bachelier, 1.2, 1.1, 0.3, 2.0),
    case(binomial_tree, 100.0, 103.0, 0.03, 0.2),
    case(present_value, [-100.0, 60.0, 70.0], 0.05),
    case(npv, 0.07),
    case(bond_price, 0.04, 0.05),
    case(macaulay_duration, 0.04),
    case(annuity, 0.04),
    case(mortgage_payment, 200.0, 0.04),
    case(nelson_siegel, 2.0, 0.03, -0.01, 0.02, 1.5),
    case(forward_rate, [1.0, 0.98, 0.95]),
    case(discount_by_table, 1.4, np.array([0.01, 0.015, 0.02, 0.03])),
    case(zero_rate_by_knots, 0.8),
    case(sharpe, RETURNS),
    case(sortino, RETURNS, target=0.005),
    case(max_drawdown, PATH, refusal="branches"),
    case(portfolio_variance, WEIGHTS, COV),
    case(mean_variance_utility, WEIGHTS, np.array([0.05, 0.08, 0.06]), COV),
    case(crra_utility, 1.4),
    case(prospect_value, -0.7),
    case(expected_shortfall, np.array([0.3, -0.1, 1.2, 0.8])),
    case(tax, 25.0),
    case(garch_loglik, (1e-4, 0.1, 0.8), 10 * RETURNS),
    case(vasicek_bond, 0.03, 2.0),
    case(sabr_vol, 1.0, 1.1, 2.0, SABR(0.2, 0.5, -0.3, 0.4)),
    case(swap_value, Leg(1.0, 0.03), Leg(1.0, 0.025), 0.02),
    case(kelly, 0.2, 0.6, 1.0),
    case(implied_vol, 0.06, refusal="branches"),
)
