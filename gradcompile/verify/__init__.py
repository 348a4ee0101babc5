"""Emitted text to a verdict: every derivative in it proved, confirmed or refuted.

adjoints.py     every adjoint in the text, checked against the forward sweep
algebras.py     the op table's functions over any algebra
symbols.py      expressions over sympy; the only importer of sympy
digits.py       expressions over numbers of many digits; imports mpmath, as symbols.py does
fingerprint.py  whether two texts compute the same
loops.py        whether loops compute what the text without loops does
slopes.py       slopes of a program at a point, found without any rule of differentiation
report.py       the verdicts, as lines, as a table, in a notebook
"""
