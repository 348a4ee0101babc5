"""Differentiation: a program becomes a program that also computes derivatives.

partials.py      what the lambdas of the op table append to a program, recorded once
activity.py      which values a derivative has anything to do with
guards.py        the condition without which a contribution is zero
hazards.py       which slopes may be inf or nan
adjoints.py      the contributions to every value, from the outputs back to the inputs
reverse.py       reverse mode: the forward sweep, then the adjoints of every value
pushforwards.py  the tangent of an operation's result from those of its operands, recorded once
tangents.py      the tangents of every value, from the inputs on
forward.py       forward mode: the program, then the tangents of every value
modes.py         which mode a Jacobian is computed in
structure.py     which outputs depend on which inputs
jacobian.py      the entries of a Jacobian as values of one program
"""
