"""Loop nests to loop nests: what makes them shorter to read and faster to run.

rewrite.py  the same nest with its places changed: what the other files share
fuse.py     neighbouring nests over the same index become one
shrink.py   dimensions and variables that need not be kept are dropped
block.py    long loops run block by block
memory.py   where what a block of rows computes lies, and what lies there later
views.py    matrices in the flat inputs and results
"""
