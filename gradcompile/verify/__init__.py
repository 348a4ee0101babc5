"""Emitted text to a verdict: every derivative in it proved, confirmed or refuted.

adjoints.py     every adjoint in the text, compared with what it should be: the verdicts
entries.py      entries of Jacobians, Hessians and products, compared with what they should be
kinds.py        what the numbers of each kind of kernel claim to be
claims.py       what entries claim to be, and the text that they are derivatives of
tangents.py     what sympy can prove of them
differences.py  what they are by differences, at points
agreement.py    numbers that a text gives, compared with what they should be
statements.py   the statements of the text, and how they hang together
points.py       the points at which they are evaluated, and what adjoints should be there
proofs.py       what sympy can prove of them
definitions.py  forward statements over sympy's symbols
algebras.py     the op table's functions over any algebra
symbols.py      expressions over sympy; imports it
digits.py       expressions over numbers of many digits; imports mpmath, as symbols.py does
fingerprint.py  whether two texts compute the same
loops.py        whether loops compute what the text without loops does
slopes.py       slopes of a program at a point, found without any rule of differentiation
alone.py        one thread at a time: what sympy and mpmath keep is shared by all
given.py        gradients of texts that call functions of which only the numbers are known
report.py       the verdicts, as lines, as a table, in a notebook
"""
