"""The pipeline end to end: from a function and its arguments to a call of machine code.

options.py       the kinds of kernel, and what `compile` was asked for
function.py      `CompiledFunction`, the face of it all
arguments.py     what calls bind, and the program for each structure of arguments
kernel.py        one derived function: built on first use, called fast, open to inspection
request.py       what is to be built: one kernel for one structure of arguments
build.py         the build of it, stage by stage, from program to machine code
programs.py      the program: differentiated and simplified
strategies.py    how its text is made: straight-line, or as loops
code.py          the structure of a program as the key to its code
machine_code.py  machine code, shared where the text is the same
calls.py         calls of machine code
flat.py          the vector of `Kernel.flat`, and the arguments beside it
results.py       flat results to the structures that the user knows
fast_path.py     arguments that need no conversion, told from others in no time
build_report.py  where compile time went, and what came of it
"""

from gradcompile.compiler.function import CompiledFunction

__all__ = ["CompiledFunction"]
