"""Two moons: a network of 337 parameters learns to tell them apart, as micrograd's demo does.

Run it with `python examples/moons.py`, after `pip install "gradcompile[examples]"`. It saves the
decision boundary in `moons.png`.
"""

import random
import time

import numpy as np
from sklearn.datasets import make_moons
from tqdm import tqdm

import gradcompile as gdc
from gradcompile import Value, nn, optim
from gradcompile.demos.plot import decision_boundary

STEPS = 100

np.random.seed(1337)
random.seed(1337)
X, y = make_moons(n_samples=100, noise=0.1)
y = y * 2 - 1
model = nn.MLP(2, [16, 16, 1])
start = model.flat  # the numbers of all 337 parameters, in one array

# --- the loss of all points, as in micrograd's demo ---------------------------------------------


def loss():
    scores = [model(list(map(Value, row))) for row in X.tolist()]
    hinges = [(1 - yi * score).relu() for yi, score in zip(y.tolist(), scores, strict=True)]
    decay = 1e-4 * sum(p * p for p in model.parameters())
    return sum(hinges) * (1.0 / len(hinges)) + decay


# --- eager: two steps, as a hundred would take a minute -----------------------------------------

started = time.perf_counter()
for step in range(2):
    total = loss()
    model.zero_grad()
    total.backward()
    for p in model.parameters():
        p.data -= (1.0 - 0.9 * step / STEPS) * p.grad
    print(f"step {step}: loss {total.data:.13f} by Values")
eager = (time.perf_counter() - started) / 2

# --- compiled: the graph becomes a function of the parameters -----------------------------------

started = time.perf_counter()
function = gdc.compile(total, inputs={"params": model.parameters()}, name="loss", progress=True)
kernel = function.value_and_grad
kernel.flat(start)  # the first call compiles
build = time.perf_counter() - started

params, losses, seconds = [start], [], 0.0
descent = optim.SGD(lr=1.0)
for step in tqdm(range(STEPS), "training"):
    started = time.perf_counter()
    value, slopes = kernel.flat(params[-1])
    descent.lr = 1.0 - 0.9 * step / STEPS
    params.append(descent.step(params[-1], slopes))
    seconds += time.perf_counter() - started
    losses.append(value)

# --- what came of it ----------------------------------------------------------------------------


def scores(points, params):
    """What the network says to many points at once, by numpy."""
    first, second, third = params[:48], params[48:320], params[320:]
    for layer in (first.reshape(16, 3), second.reshape(16, 17)):
        points = np.maximum(points @ layer[:, :-1].T + layer[:, -1], 0.0)
    return points @ third[:-1] + third[-1]


for step in (0, 1, 9, 40, 99):
    right = np.mean((scores(X, params[step]) > 0) == (y > 0))
    print(f"step {step:2}: loss {losses[step]:.13f} compiled, accuracy {right:.0%}")

print(f"one step: {eager * 1e3:.0f} ms by Values, {seconds / STEPS * 1e6:.0f} µs compiled")
print(f"{eager * STEPS / seconds:,.0f} times faster, after {build:.1f} s to compile")

picture = decision_boundary(lambda points: scores(points, params[-1]), X, y, "moons.png")
print(f"picture  {picture}")
