"""What operations mean: the op table, and what is built of its rows alone.

op.py         `Op`, one row of the table: an operation, and all that follows from its row
table.py      the op table: one row an operation, and nothing about an operation anywhere else
unwritten.py  two rows that carry rules of one's own, and are never emitted
opaque.py     operations that are functions of the user's own
operators.py  Python's operators and numpy's functions on traced things
functions.py  sums, norms, softmaxes, products of vectors: built from the table's operations
syntax.py     expressions as text: read by `ast`, evaluated over any algebra, never by `eval`
"""

from gradcompile.ops.op import Op
from gradcompile.ops.table import TABLE

__all__ = ["TABLE", "Op"]
__all__ += list(TABLE)

globals().update(TABLE)
