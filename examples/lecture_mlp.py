"""The lecture's network: four rows, 41 parameters, 20 steps; by Values first, then compiled.

Run it with `python examples/lecture_mlp.py`.
"""

import random
import time

import gradcompile as gdc
from gradcompile import nn

XS = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
YS = [1.0, -1.0, -1.0, 1.0]
STEPS = 20

random.seed(1337)
model = nn.MLP(3, [4, 4, 1], activation="tanh", output="tanh")
start = model.flat  # the numbers of all parameters, in one array
print(f"{len(start)} parameters")

# --- eager: as in the lecture -------------------------------------------------------------------

eager_losses = []
started = time.perf_counter()
for _ in range(STEPS):
    predictions = [model(x) for x in XS]
    loss = sum((p - y) ** 2 for p, y in zip(predictions, YS, strict=True))

    model.zero_grad()
    loss.backward()

    for p in model.parameters():
        p.data -= 0.1 * p.grad
    eager_losses.append(loss.data)
eager = time.perf_counter() - started

# --- compiled: the graph of the loss becomes a function of the parameters -----------------------

started = time.perf_counter()
kernel = gdc.compile(loss, inputs={"params": model.parameters()}, name="loss").value_and_grad
kernel.flat(start)  # the first call compiles
build = time.perf_counter() - started

losses, params = [], start
started = time.perf_counter()
for _ in range(STEPS):
    value, slopes = kernel.flat(params)
    params = params - 0.1 * slopes
    losses.append(value)
compiled = time.perf_counter() - started

# --- what came of it ----------------------------------------------------------------------------

print("step  loss by Values  compiled")
for step, (by_values, value) in enumerate(zip(eager_losses, losses, strict=True)):
    print(f"{step:4}  {by_values:.12f}  {value:.12f}")

model.flat = params
scores = [model(x).data for x in XS]
print(f"predictions {[round(score, 3) for score in scores]} for {YS}")
right = sum(score * y > 0.0 for score, y in zip(scores, YS, strict=True))
print(f"{right} of {len(YS)} signs are right")

print(f"{STEPS} steps: {eager * 1e3:.1f} ms by Values, {compiled * 1e3:.3f} ms compiled")
print(f"{eager / compiled:.0f} times faster, after {build:.2f} s to compile")
