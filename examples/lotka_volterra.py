"""Hares and lynxes: the rates of Lotka and Volterra fitted to the furs of the Hudson's Bay Company.

Run it with `python examples/lotka_volterra.py`, after `pip install "gradcompile[solvers]"`.

The populations of 1900 to 1920 follow a differential equation of four rates, from two unknown
beginnings. How they change with these six numbers follows another one, made of the Jacobian of the
first: a compiled function calls the kernel of another one. Radau gets its Jacobian, too.
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

import gradcompile as gdc

HARES = [
    30.0, 47.2, 70.2, 77.4, 36.3, 20.6, 18.1, 21.4, 22.0, 25.4, 27.1,
    40.3, 57.0, 76.6, 52.3, 19.5, 11.2, 7.6, 14.6, 16.2, 24.7,
]  # fmt: skip
LYNXES = [
    4.0, 6.1, 9.8, 35.2, 59.4, 41.7, 19.0, 13.0, 8.3, 9.1, 7.4,
    8.0, 12.3, 19.5, 45.7, 51.1, 29.7, 15.8, 9.7, 10.1, 8.6,
]  # fmt: skip
FURS = np.log([HARES, LYNXES])
YEARS = np.arange(21.0)


@gdc.compile
def growth(y, rates):
    """How fast the populations grow."""
    hares, lynxes = y
    born, eaten, starved, fed = rates
    return np.array(
        [born * hares - eaten * hares * lynxes, fed * hares * lynxes - starved * lynxes]
    )


@gdc.compile(wrt="z")
def system(t, z, rates):
    """The growth of the populations, and of their derivatives by four rates and two beginnings."""
    y, by = z[:2], z[2:].reshape(2, 6)
    jacobian = growth.jacobian(y, rates)
    forced = np.concatenate([jacobian.rates, np.zeros((2, 2))], axis=1)
    return np.concatenate([growth(y, rates), (jacobian.y @ by + forced).ravel()])


def solved(params):
    """The populations of each year, and their derivatives by the parameters."""
    rates, y = np.exp(params[:4]), np.exp(params[4:])
    by = np.concatenate([np.zeros((2, 4)), np.eye(2)], axis=1)
    found = solve_ivp(
        system, (0.0, 20.0), [*y, *by.ravel()], "Radau", YEARS, args=(rates,),
        jac=system.jacobian.sparse, rtol=1e-8, atol=1e-8,
    )  # fmt: skip
    return found.y[:2], found.y[2:].reshape(2, 6, 21)


def errors(params):
    return (np.log(solved(params)[0]) - FURS).ravel()


def slopes(params):
    """The derivatives of the errors: by the logarithms of the parameters."""
    y, by = solved(params)
    return (by / y[:, None] * np.exp(params)[:, None]).transpose(0, 2, 1).reshape(42, 6)


start = np.log([0.5, 0.03, 0.9, 0.03, 30.0, 4.0])
found = least_squares(errors, start, jac=slopes)
born, eaten, starved, fed, hares, lynxes = np.exp(found.x)
print(f"hares: born {born:.3f} a year, eaten {eaten:.4f} by a lynx; {hares:.1f} at the beginning")
print(f"lynxes: starved {starved:.3f} a year, fed {fed:.4f} by a hare; {lynxes:.1f}")
print(f"{found.nfev} evaluations; errors of {np.sqrt(np.mean(found.fun**2)):.0%}")

step = np.array([1e-5, 0.0, 0.0, 0.0, 0.0, 0.0])
by_steps = (errors(found.x + step) - errors(found.x - step)) / 2e-5
print(f"the derivatives differ from quotients by {abs(slopes(found.x)[:, 0] - by_steps).max():.0e}")

report = growth.jacobian.verify()
proved = sum(entry.verdict == "proved" for entry in report)
print(f"{proved} of {len(report)} derivatives of the growth are proved")
