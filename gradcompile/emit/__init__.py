"""Programs and loop nests become readable Python; and that text is read back.

expressions.py         a row's expression with operands put in, as a syntax tree
trees.py               small syntax trees: numbers, elements, calls, assignments
straight.py            a program to text: its statements
statements.py          the statements of a straight-line program
derivations.py         the reverse sweep under headings
straight_results.py    what it returns
straight_functions.py  what its functions take, load, allocate and return
nests.py               loop nests to text
nest_names.py          what their arrays and indices are called
nest_places.py         their expressions, places and subscripts, as syntax trees
product_calls.py       products of matrices to calls of `gradcompile.products`
nest_trees.py          their loops and assignments, as statements
nest_arrays.py         the arrays that they use: views, and memory
nest_functions.py      what their functions take, make and return
parts.py               where long text is cut into functions, and what crosses a cut
wrapping.py            long expressions and comments on several lines
layout.py              functions made of statements to the text of a module
reader.py              emitted text, read back statement by statement
straight_reader.py     the same for a kernel of any kind without loops
"""
