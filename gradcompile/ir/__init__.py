"""The two intermediate representations, each with its grammar, verifier, printer and interpreter.

program.py          the linear IR: straight-line programs in static single assignment form
builder.py          instructions appended one by one, or by the lambdas of the op table
parse.py            the printed form of a program, read back
packed.py           a program as arrays of integers, so that numpy sees all of it at once
sweeps.py           the parts of a program of derivatives, and their titles
interpret.py        runs a program on floats: the reference that every engine must equal
nests.py            the loop-nest IR: what rolling makes of a program
signature.py        what an emitted function takes and returns
interpret_nests.py  runs loop nests on floats, and verifies them
"""
