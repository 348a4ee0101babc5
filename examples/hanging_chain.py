"""A chain of masses, hanging: the shape of least energy, by IPOPT and by pounce.

Run it with `python examples/hanging_chain.py`, after `pip install "gradcompile[solvers]"` for
pounce, or `pip install "gradcompile[ipopt]"` for IPOPT, whose library has to be there.

The links are stiff, so each is a constraint. With many masses the chain is a catenary.
"""

import importlib.util
import sys

import numpy as np
from scipy.optimize import brentq

import gradcompile as gdc

N = 40
"""The masses between the ends."""

SPAN, LENGTH = 2.0, 3.0
SOLVERS = [name for name in ("cyipopt", "pounce") if importlib.util.find_spec(name)]
if not SOLVERS:
    sys.exit("there is neither cyipopt nor pounce here")


def energy(z):
    """The mean height of the masses."""
    return z[N:].sum() / N


def links(z, span, link):
    """By how much the square of the length of each link is too large."""
    x = np.concatenate([[0.0], z[:N], [span]])
    y = np.concatenate([[0.0], z[N:], [0.0]])
    return (x[1:] - x[:-1]) ** 2 + (y[1:] - y[:-1]) ** 2 - link**2


chain = gdc.nlp(energy, links, n=2 * N, fixed={"span": SPAN, "link": LENGTH / (N + 1)})
even = np.linspace(0.0, 1.0, N + 2)[1:-1]
start = np.concatenate([SPAN * even, -np.sin(np.pi * even)])

for name in SOLVERS:
    module = importlib.import_module(name)
    free, zero = np.full(chain.n, 2e19), np.zeros(chain.m)
    solver = module.Problem(
        n=chain.n, m=chain.m, problem_obj=chain, lb=-free, ub=free, cl=zero, cu=zero
    )
    solver.add_option("print_level", 0)
    z, info = solver.solve(start)
    print(f"{name}: the lowest mass is at {z[N:].min():.4f}, the energy {info['obj_val']:.6f}")

# A catenary of the same length: y = a (cosh(x / a) - cosh(span / 2a)).
a = brentq(lambda a: 2 * a * np.sinh(SPAN / (2 * a)) - LENGTH, 0.1, 10.0)
print(f"a catenary hangs down to {a - a * np.cosh(SPAN / (2 * a)):.4f}")

wider = chain.fix(span=2.5)  # the same code for other ends
print(f"fixed: {wider.fixed['span']} wide; constraints of {wider.constraints(start).max():.3f}")

report = chain.verify()
refuted = [entry for entry in report if entry.verdict == "refuted"]
print(f"{len(report)} derivatives verified, {len(refuted)} refuted")
