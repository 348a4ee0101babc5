from dataclasses import replace
from gradcompile.autodiff.forward import forward
from gradcompile.ir.program import Const
def jacobian(program, wrt, places=None, mode=None):
    outs=list(program.flat_outputs)
    E={}
    p=program
    for j in range(len(wrt)):
        p=replace(p,outputs=tuple(outs))
        p=forward(p,wrt,[Const(1.0 if i==j else 0.0) for i in range(len(wrt))],False)
        for i,e in enumerate(p.flat_outputs): E[i,j]=e
    places=places or [(i,j) for i in range(len(outs)) for j in range(len(wrt))]
    return replace(p,outputs=tuple(E[x] for x in places))
