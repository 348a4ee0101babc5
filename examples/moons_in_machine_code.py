"""Training inside machine code: all 100 steps on the two moons, without returning to Python.

Run it with `python examples/moons_in_machine_code.py`.
"""

import time

import numba
import numpy as np

import gradcompile as gdc
from gradcompile.demos import two_moons

STEPS = 100

X, y = two_moons.points()
model = two_moons.network()
start = model.flat
loss = gdc.compile(
    two_moons.loss(model, X, y), inputs={"params": model.parameters()}, name="loss"
)  # fmt: skip

# --- the loop in machine code: it is given the kernel, and calls it in every step ---------------


@numba.njit
def train(value_and_grad, params, steps):
    losses = np.empty(steps)
    for step in range(steps):
        losses[step], (slopes,) = value_and_grad(params)
        params = params - (1.0 - 0.9 * step / steps) * slopes
    return params, losses


kernel = loss.value_and_grad.njit
train(kernel, start, 0)  # the first call compiles the loop

started = time.perf_counter()
trained, losses = train(kernel, start, STEPS)
inside = time.perf_counter() - started

# --- the same loop in Python --------------------------------------------------------------------

loss.value_and_grad.flat(start)  # the first call prepares the others
params, by_python = start, []
started = time.perf_counter()
for step in range(STEPS):
    value, slopes = loss.value_and_grad.flat(params)
    params = params - (1.0 - 0.9 * step / STEPS) * slopes
    by_python.append(value)
outside = time.perf_counter() - started

# --- what came of it ----------------------------------------------------------------------------

for step in (0, 1, STEPS - 1):
    print(f"step {step:2}: loss {losses[step]:.13f}")
right = two_moons.accuracy(two_moons.scores(trained, X), y)
print(f"accuracy {right:.0%}")

same = np.allclose(trained, params, rtol=1e-9) and np.allclose(losses, by_python, rtol=1e-9)
print("the loop in Python comes to the same" if same else "the loop in Python DIFFERS")
print(f"{STEPS} steps: {inside * 1e3:.2f} ms in machine code, {outside * 1e3:.2f} ms from Python")
