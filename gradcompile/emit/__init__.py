"""Programs and loop nests become readable Python; and that text is read back.

expressions.py    a row's expression with operands put in, as a syntax tree
straight.py       a program to statements
nests.py          loop nests to statements
product_calls.py  products of matrices in loop nests to calls of `gradcompile.products`
parts.py          where long text is cut into functions, and what crosses a cut
layout.py         statements to the text of a module
reader.py         emitted text, read back statement by statement
"""
