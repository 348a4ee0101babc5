"""numba's pipelines of passes, in which lowering to LLVM code is another.

numba has no options for what is changed here; a pipeline is what it lets others change.

- Python calls machine code through a wrapper that borrows arrays (`jit/wrapper.py`).
- LLVM takes vectors of four numbers on processors that can do eight, since the first of them became
  slower then. Loops over blocks of rows are made of little else than vector code, and gain from it.
"""

from typing import Any

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from gradcompile.jit.tiles import LANES
from gradcompile.jit.wrapper import LowerBorrowing


class _LowerWide(LowerBorrowing):
    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        # Past the check of llvmlite, which knows only some attributes.
        set.add(self.function.attributes, f'"prefer-vector-width"="{64 * LANES}"')


@register_pass(mutates_CFG=True, analysis_only=False)
class _Borrowing(NativeLowering):
    _name = "lowering_with_borrowed_arrays"

    @property
    def lowering_class(self) -> type[Lower]:
        return LowerBorrowing


@register_pass(mutates_CFG=True, analysis_only=False)
class _Wide(NativeLowering):
    _name = "lowering_to_widest_vectors"

    @property
    def lowering_class(self) -> type[Lower]:
        return _LowerWide


class BorrowedArrays(CompilerBase):
    """The pipeline for kernels without loops: Python's arrays are borrowed."""

    lowering: type[NativeLowering] = _Borrowing

    def define_pipelines(self) -> list[Any]:
        """List the passes, as numba asks for them."""
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (self.lowering if pass_ is NativeLowering else pass_, says)
            for pass_, says in manager.passes
        ]
        manager.finalize()
        return [manager]


class WidestVectors(BorrowedArrays):
    """The pipeline for loops: as `BorrowedArrays`, for the widest vectors that there are."""

    lowering = _Wide
