"""Differentiation: a program becomes a program that also computes derivatives.

activity.py  which values depend on what is differentiated by
partials.py  what the lambdas of the op table append to a program, recorded once
guards.py    the condition without which a contribution is zero
hazards.py   which slopes may be inf or nan
reverse.py   reverse mode: the forward sweep, then the adjoints of every value
"""
