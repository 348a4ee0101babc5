import numpy as np
def structure(program, wrt):
    d={program.inputs[k]:frozenset([i]) for i,k in enumerate(wrt)}
    for r,op,ops,_ in program.instructions:
        s=frozenset().union(*[d[o] for o,p in zip(ops,op.partials) if p is not None and o in d])
        if s: d[r]=s
    R,C=[],[]
    for i,o in enumerate(program.flat_outputs):
        for c in sorted(d.get(o,())): R.append(i);C.append(c)
    return np.array(R,np.int64),np.array(C,np.int64)
