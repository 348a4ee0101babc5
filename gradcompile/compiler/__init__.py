"""The pipeline end to end: from a function and its arguments to a call of machine code.

options.py       the kinds of kernel, and what `compile` was asked for
function.py      `CompiledFunction`, the face of it all
kernel.py        one derived function: built on first use, called fast, open to inspection
build.py         one kernel for one structure of arguments, from program to machine code
code.py          the structure of a program as the key to its code
fast_path.py     arguments that need no conversion, told from others in no time
build_report.py  where compile time went, and what came of it
"""

from gradcompile.compiler.function import CompiledFunction

__all__ = ["CompiledFunction"]
