"""The pipeline end to end: from a function and its arguments to a call of machine code.

options.py          the kinds of kernel, and what `compile` was asked for
function.py         `CompiledFunction`, the face of it all
arguments.py        what calls bind, and the program for each structure of arguments
parameters.py       how a function's arguments are passed, and which of them are static
matrices.py         one structure over another: those of Jacobians and Hessians
signature.py        what the emitted function takes and returns
derived.py          what a kernel is before it is called: requests and builds
flat.py             its calls on flat vectors
kernel.py           one derived function: built on first use, called fast
directions.py       kernels that take tangents, cotangents, a vector or weights
sparse.py           kernels that give sparse matrices
kernels.py          all kernels of a function beside value and gradient
methods.py          compiled functions bound to objects
attributes.py       what the attributes of such an object were
pickles.py          what a pickle of a compiled function holds
verification.py     what each number that a kernel returns claims to be, checked
inspection.py       what a kernel shows: text, program, machine code
request.py          what is to be built: one kernel for one structure of arguments
build.py            the build of it, stage by stage, from program to machine code
verified.py         the text that verification reads
derivatives.py      the derivatives of each kind of kernel, as transformations of programs
programs.py         the program: differentiated and simplified
strategies.py       how its text is made: straight-line, or as loops
code.py             the structure of a program as the key to its code
machine_code.py     machine code, shared where the text is the same
composition.py      kernels called with Values, as parts of other graphs
plans.py            how a kernel is called with arguments of one structure
calls.py            calls written for the arguments they will get
conversion.py       arguments of a graph in another form than it has, and back
plain_arguments.py  arguments that machine code takes as they are, told from others
unpacking.py        what machine code returned, put into the user's form
flat_arguments.py   what is given beside one flat vector, by position or by name
flat_calls.py       calls on one flat vector, for solvers
results.py          the namedtuple of a gradient
build_report.py     where compile time went, and what came of it
"""

from gradcompile.compiler.function import CompiledFunction

__all__ = ["CompiledFunction"]
