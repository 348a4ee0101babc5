"""User code becomes a program: values, tracing, lowering.

value.py            `Value`: the expression graph, eager evaluation, eager `backward()`
own.py              operations of the user's own, in micrograd's way
scalars.py          what numpy's numbers have of arrays
copies.py           graphs copied and pickled, at any depth
arrays.py           arrays of Values, which answer numpy as arrays of floats do
numpy_ufuncs.py     numpy's and scipy's ufuncs on arrays of Values
numpy_functions.py  numpy's functions on arrays of Values
numpy_linalg.py     numpy.linalg on arrays of Values
elimination.py      linear systems, determinants and Cholesky factors
norms.py            norms of vectors and matrices
records.py          containers with named fields, such as dataclasses
exact.py            keys of objects that code could not tell apart
static.py           what is static: no numbers to differentiate by
nested.py           nested arguments to a flat list and back
trace.py            a function to a graph of Values, and the arguments of a graph
branches.py         both ways of every branch of a function
runs.py             one run of a function that branches
orderings.py        how two numbers may be ordered, as far as comparisons tell
joins.py            two ways of a branch joined to one graph
endings.py          at which line a function returns, and what it raises
replay.py           a program applied to Values
numbering.py        value numbers over several runs of a function
users.py            which frames run a user's code; the error that names its line
bytecode.py         where the bytecode stores the result of an instruction
bindings.py         the variables that traced values are bound to
lower.py            a graph of Values to instructions in order, at any depth
"""
