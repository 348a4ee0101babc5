"""Poisson regression by Newton's method, with standard errors from the Hessian.

Run it with `python examples/poisson_regression.py`.

The counts are those of a randomized trial (Dobson 1990, page 93), the example of `glm` in R: three
treatments, three outcomes. R's estimates and standard errors are printed beside ours.
"""

import numpy as np

import gradcompile as gdc

COUNTS = np.array([18.0, 17.0, 15.0, 20.0, 10.0, 20.0, 25.0, 13.0, 12.0])
OUTCOME = np.array([1, 2, 3] * 3)
TREATMENT = np.repeat([1, 2, 3], 3)

NAMES = ["intercept", "outcome 2", "outcome 3", "treatment 2", "treatment 3"]
IN_R = [(3.0445, 0.1709), (-0.4543, 0.2022), (-0.2930, 0.1927), (0.0, 0.2), (0.0, 0.2)]


@gdc.compile(batched=("x", "count"), reduce="sum")
def loss(w, x, count):
    """Minus the log-likelihood of one count, but for a constant."""
    score = gdc.dot(w, x)
    return gdc.exp(score) - count * score


x = np.stack(
    [np.ones(9), OUTCOME == 2, OUTCOME == 3, TREATMENT == 2, TREATMENT == 3], axis=1
).astype(float)
w = np.array([np.log(COUNTS.mean()), 0.0, 0.0, 0.0, 0.0])

for step in range(20):
    value, gradient, hessian = loss.value_grad_and_hessian(w, x, COUNTS)
    move = np.linalg.solve(hessian.w.w, gradient.w)
    w = w - move
    print(f"step {step}: loss {value:.9f}, the largest move {abs(move).max():.0e}")
    if abs(move).max() < 1e-10:
        break

errors = np.sqrt(np.diag(np.linalg.inv(loss.hessian(w, x, COUNTS).w.w)))
print("             estimate   error    in R")
for name, estimate, error, (given, spread) in zip(NAMES, w, errors, IN_R, strict=True):
    print(f"{name:12} {round(estimate, 4) + 0.0:8.4f}  {error:.4f}   {given:7.4f}  {spread:.4f}")
report = loss.hessian.verify()
proved = sum(entry.verdict == "proved" for entry in report)
print(f"{proved} of {len(report)} entries of the Hessian of a count are proved")
