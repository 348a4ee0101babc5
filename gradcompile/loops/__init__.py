"""Loop nests to loop nests: what makes them shorter to read and faster to run.

A pass makes new nests; it changes none.

rewrite.py  the same nest with other places and indices: what the other files share
unroll.py   some rounds of a loop are written out as one
fuse.py     neighbouring nests over the same index become one
shrink.py   dimensions and variables that need not be kept are dropped
block.py    long loops run block by block
memory.py   where what a block of rows computes lies, and what lies there later
views.py    matrices in the flat inputs and results
"""
