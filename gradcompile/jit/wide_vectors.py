"""numba's compiler, but for the widest vectors that the processor has.

LLVM takes vectors of four numbers on processors that can do eight, since the first of them became
slower then. Loops over blocks of rows are made of little else than vector code, and gain from it.
numba has no option for that; a pipeline of passes is what it lets others change.
"""

from typing import Any

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from gradcompile.jit.tiles import LANES


class _Lower(Lower):
    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        # Past the check of llvmlite, which knows only some attributes.
        set.add(self.function.attributes, f'"prefer-vector-width"="{64 * LANES}"')


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):
    _name = "lowering_to_widest_vectors"

    @property
    def lowering_class(self) -> type[Lower]:
        return _Lower


class WidestVectors(CompilerBase):
    """The pipeline of passes: numba's own, with another attribute of each function."""

    def define_pipelines(self) -> list[Any]:
        """List the passes, as numba asks for them."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (_Lowering if pass_ is NativeLowering else pass_, says)
            for pass_, says in manager.passes
        ]
        manager.finalize()
        return [manager]
