from dataclasses import replace
from gradcompile.ir.builder import Builder, operand_of
from gradcompile.ir.program import Const
from gradcompile.ops import table
def forward(program, wrt, tangents, keep_value=True):
    b=Builder(list(program.instructions)); t=dict(zip([program.inputs[k] for k in wrt],tangents))
    for r,op,ops,_ in program.instructions:
        tot=None
        b.origin=r
        for o,p in zip(ops,op.partials):
            if p is None or o not in t: continue
            s=operand_of(p(b.ref(r),*map(b.ref,ops)))
            c=b.apply(table.mul,(s,t[o]))
            tot=c if tot is None else b.apply(table.add,(tot,c))
        if tot is not None: t[r]=tot
    outs=tuple(program.flat_outputs)
    ts=tuple(t.get(o,Const(0.0)) for o in outs)
    return replace(program,instructions=tuple(b.instructions),outputs=(*outs,*ts) if keep_value else ts)
