"""User code becomes a program: values, tracing, lowering.

value.py            `Value`: the expression graph, eager evaluation, eager `backward()`
arrays.py           arrays of Values, which answer numpy as arrays of floats do
numpy_ufuncs.py     numpy's and scipy's ufuncs on arrays of Values
numpy_functions.py  numpy's functions on arrays of Values
nested.py           nested arguments to a flat list and back
trace.py            a function to a graph of Values, and the arguments of a graph
users.py            which frames run a user's code; the error that names its line
bytecode.py         where the bytecode stores the result of an instruction
bindings.py         the variables that traced values are bound to
lower.py            a graph of Values to instructions in order, at any depth
"""
