"""A real table: tumours, benign or malignant, by logistic regression; beside scikit-learn's.

Run it with `python examples/breast_cancer.py`, after `pip install "gradcompile[examples]"`.

The table (569 tumours, 30 measurements of each) comes with scikit-learn. Both models minimize the
same loss, so they should find the same weights.
"""

import time

import numpy as np
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import gradcompile as gdc

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0, stratify=y)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
print(f"{len(X_train)} rows to train with, {len(X_test)} to test, {X.shape[1]} columns")

# --- the loss of one row, compiled for any number of rows ---------------------------------------


@gdc.compile(batched=("x", "sign"), reduce="sum")
def errors(weights, bias, x, sign):
    return gdc.softplus(-sign * (gdc.dot(weights, x) + bias))


signs = np.where(y_train == 1, 1.0, -1.0)
start = np.zeros(X.shape[1] + 1)  # the weights, then the bias

started = time.perf_counter()
errors.value_and_grad(start[:-1], start[-1], X_train, signs)  # the first call compiles
build = time.perf_counter() - started


def loss(params):
    """The errors of all rows and half the squares of the weights, as in scikit-learn."""
    value, slopes = errors.value_and_grad.flat(params, x=X_train, sign=signs)
    slopes[:-1] += params[:-1]
    return value + 0.5 * params[:-1] @ params[:-1], slopes


threadpool_limits(1)  # on few cores, the threads of BLAS would take most of both times

# --- train --------------------------------------------------------------------------------------

started = time.perf_counter()
found = minimize(loss, start, jac=True, method="L-BFGS-B", tol=1e-12)
ours = time.perf_counter() - started

started = time.perf_counter()
for _ in range(1000):
    loss(found.x)
call = (time.perf_counter() - started) / 1000

started = time.perf_counter()
peer = LogisticRegression(C=1.0, tol=1e-8, max_iter=1000).fit(X_train, y_train)
theirs = time.perf_counter() - started

# --- what came of it ----------------------------------------------------------------------------


def accuracy(weights, bias, X, y):
    return np.mean((X @ weights + bias > 0) == (y == 1))


print("              train     test")
w = peer.coef_[0]
for name, weights, bias in (
    ("gradcompile", found.x[:-1], found.x[-1]),
    ("scikit-learn", w, peer.intercept_[0]),
):
    train = accuracy(weights, bias, X_train, y_train)
    test = accuracy(weights, bias, X_test, y_test)
    print(f"{name:12} {train:7.2%}  {test:7.2%}")
print(f"the weights differ by {abs(found.x[:-1] - w).max():.1e} at most")

print(f"scipy's L-BFGS: {ours * 1e3:.0f} ms; LogisticRegression.fit: {theirs * 1e3:.0f} ms")
print(f"{found.nfev} calls of the compiled gradient in it, {call * 1e6:.1f} µs each")
print(f"before: {build:.1f} s to compile")
