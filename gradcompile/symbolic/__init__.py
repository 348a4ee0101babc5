"""sympy expressions to programs, and programs to sympy expressions.

words.py    what rows of the op table and sympy's functions are called by each other
reading.py  expressions to what is compiled
writing.py  programs to expressions
"""
