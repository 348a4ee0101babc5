"""A large problem with constraints by IPOPT and by pounce: exact sparse derivatives, short texts.

Run it with `python examples/luksan_vlcek.py [N]`, after `pip install "gradcompile[solvers]"` for
pounce, or `pip install "gradcompile[ipopt]"` for IPOPT, whose library has to be there.

The problem is of Lukšan and Vlček, the 5.1 of their collection: a chained function of Rosenbrock,
with as many constraints as variables but two. The texts are as long for a hundred as for a hundred
thousand, because what tracing unrolled is rolled again.
"""

import importlib.util
import sys
import time

import numpy as np

import gradcompile as gdc

N = int(sys.argv[1]) if len(sys.argv) > 1 else 200
SOLVERS = [name for name in ("cyipopt", "pounce") if importlib.util.find_spec(name)]
if not SOLVERS:
    sys.exit("there is neither cyipopt nor pounce here")


def objective(x):
    return sum(100 * (x[:-1] ** 2 - x[1:]) ** 2 + (x[:-1] - 1) ** 2)


def constraints(x):
    a, b, c = x[:-2], x[1:-1], x[2:]
    waves = np.sin(b - c) * np.sin(b + c)
    return 3 * b**3 + 2 * c - 5 + waves + 4 * b - a * np.exp(a - b) - 3


started = time.perf_counter()
problem = gdc.nlp(objective, constraints, n=N)
start = np.where(np.arange(N) % 2, 1.0, -1.2)
problem.gradient(start), problem.constraints(start), problem.jacobian(start)
problem.hessian(start, np.ones(problem.m), 1.0)
print(f"{problem.n} variables, {problem.m} constraints; ", end="")
print(f"{time.perf_counter() - started:.1f} s to compile")

hessian = problem.compiled.lagrangian.hessian.sparse.lower
for name, kernel, entries in (
    ("gradient", problem.compiled.objective.value_and_grad, N),
    ("Jacobian", problem.compiled.constraints.jacobian.sparse, len(problem.jacobianstructure()[0])),
    ("Hessian", hessian, len(problem.hessianstructure()[0])),
):
    print(f"{name}: {entries} numbers by a text of {len(kernel.source.splitlines())} lines")

for name in SOLVERS:
    module = importlib.import_module(name)
    free, zero = np.full(N, 2e19), np.zeros(problem.m)
    solver = module.Problem(
        n=problem.n, m=problem.m, problem_obj=problem, lb=-free, ub=free, cl=zero, cu=zero
    )
    solver.add_option("print_level", 0)
    started = time.perf_counter()
    x, info = solver.solve(start)
    print(f"{name}: objective {info['obj_val']:.8f}, ", end="")
    print(f"constraints to {abs(problem.constraints(x)).max():.0e}, ", end="")
    print(f"{(time.perf_counter() - started) * 1e3:.0f} ms")
