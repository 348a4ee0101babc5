"""A volatility smile: SABR calibrated by scipy's `least_squares`, with its exact Jacobian.

Run it with `python examples/sabr_smile.py`, after `pip install "gradcompile[solvers]"`.

Hagan's formula gives the implied volatility of an option in the SABR model. At the money it is 0/0,
so `where` takes the limit there; what it does not take counts for nothing in derivatives, either.
"""

import numpy as np
from scipy.optimize import least_squares

import gradcompile as gdc

FORWARD, YEARS, BETA = 0.03, 5.0, 0.5
STRIKES = FORWARD + np.array([-150, -100, -50, -25, 0, 25, 50, 100, 150, 200]) / 1e4
QUOTES = np.array([43.8, 36.6, 32.1, 30.5, 29.3, 28.4, 27.8, 27.2, 27.2, 27.5]) / 100


def volatility(strike, alpha, rho, nu):
    """Hagan's formula, of 2002."""
    moneyness = np.log(FORWARD / strike)
    middle = (FORWARD * strike) ** ((1 - BETA) / 2)
    z = nu / alpha * middle * moneyness
    chi = np.log((np.sqrt(1 - 2 * rho * z + z * z) + z - rho) / (1 - rho))
    skew = gdc.where(abs(z) < 1e-7, 1 - rho * z / 2, z / chi)
    even = ((1 - BETA) * moneyness) ** 2
    drift = (
        ((1 - BETA) * alpha / middle) ** 2 / 24
        + rho * BETA * nu * alpha / (4 * middle)
        + (2 - 3 * rho * rho) * nu * nu / 24
    )
    return alpha / (middle * (1 + even / 24 + even * even / 1920)) * skew * (1 + drift * YEARS)


@gdc.compile(wrt="params")
def errors(params, strikes, quotes):
    """By how much the model misses the quotes."""
    return volatility(strikes, *params) - quotes


start = np.array([0.05, 0.0, 0.5])  # alpha, rho, nu
errors(start, STRIKES, QUOTES)

found = least_squares(
    errors.value.flat,
    start,
    jac=errors.jacobian.flat,
    args=(STRIKES, QUOTES),
    bounds=([1e-4, -0.999, 1e-4], [1.0, 0.999, 3.0]),
    x_scale=[0.1, 1.0, 1.0],
)
alpha, rho, nu = found.x
print(f"alpha {alpha:.4f}, rho {rho:.3f}, nu {nu:.3f}")
print(f"{found.nfev} evaluations; the largest error is {abs(found.fun).max() * 1e4:.1f} bp")
print("strike   quote   model")
for strike, quote, error in zip(STRIKES, QUOTES, found.fun, strict=True):
    print(f"{strike:6.2%}  {quote:6.2%}  {quote + error:6.2%}")

by_differences = least_squares(errors.value.flat, start, args=(STRIKES, QUOTES))
same = np.allclose(by_differences.x, found.x, rtol=1e-5)
print(f"with differences for the Jacobian {'the same' if same else 'something else'} is found")
