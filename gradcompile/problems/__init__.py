"""Problems of optimization: an objective and constraints, for solvers of nonlinear programs.

nlp.py         `gdc.nlp`: two functions to a problem
problem.py     `Problem`: what solvers call
functions.py   the functions of a problem compiled, and the arguments that each of them has
lagrangian.py  the objective and the constraints, each times its factor
minimize.py    the arguments of scipy's `minimize`
last.py        a kernel that keeps what it computed last
"""
