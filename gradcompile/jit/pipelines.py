"""numba's pipelines of passes, in which lowering to LLVM code is another.

numba has no options for what is changed here; a pipeline is what it lets others change.

- Python calls machine code through a wrapper that checks the arguments (`jit/wrapper.py`).
- LLVM takes vectors of four numbers on processors that can do eight, since the first of them became
  slower then. Loops over blocks of rows are made of little else than vector code, and gain from it.
"""

from typing import Any

from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.errors import TypingError
from numba.core.lowering import Lower
from numba.core.typed_passes import NativeLowering

from gradcompile.jit.linked import StraightSource
from gradcompile.jit.tiles import LANES
from gradcompile.jit.wrapper import Expected, LowerChecking


class _LowerWide(LowerChecking):
    def setup_function(self, fndesc: Any) -> None:
        super().setup_function(fndesc)
        # Past the check of llvmlite, which knows only some attributes.
        set.add(self.function.attributes, f'"prefer-vector-width"="{64 * LANES}"')


@register_pass(mutates_CFG=True, analysis_only=False)
class _Checking(NativeLowering):
    _name = "lowering_with_checks"

    @property
    def lowering_class(self) -> type[Lower]:
        return LowerChecking


@register_pass(mutates_CFG=True, analysis_only=False)
class _Wide(NativeLowering):
    _name = "lowering_to_widest_vectors"

    @property
    def lowering_class(self) -> type[Lower]:
        return _LowerWide


class Checked(CompilerBase):
    """The pipeline for functions without loops: the wrapper for Python checks the arguments."""

    lowering: type[NativeLowering] = _Checking
    expected: Expected
    straight: StraightSource | None = None

    def compile_extra(self, func: Any) -> Any:
        """Compile a function: straight-line text by its translation, where that is possible."""
        linked = self.straight.linked(self.state.args) if self.straight else None
        self.state.metadata["is_translated"] = linked is not None
        return super().compile_extra(linked or func)

    def define_pipelines(self) -> list[Any]:
        """List the passes, as numba asks for them."""
        if self.expected.message and not self.expected.fits(self.state.args):
            raise TypingError(self.expected.message)
        self.state.metadata["expected"] = self.expected
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [
            (self.lowering if pass_ is NativeLowering else pass_, says)
            for pass_, says in manager.passes
        ]
        manager.finalize()
        return [manager]


class WidestVectors(Checked):
    """The pipeline for loops: as `Checked`, and for the widest vectors that there are."""

    lowering = _Wide
    expected = Expected((), "")  # functions that are called by machine code alone


def pipeline(
    loops: bool, expected: Expected, straight: StraightSource | None = None
) -> type[Checked]:
    """Make the pipeline of a function.

    Args:
        loops: is it made of loops?
        expected: what Python has to give it.
        straight: the function, if its text is to be translated.
    """
    base = WidestVectors if loops else Checked
    return type(base.__name__, (base,), {"expected": expected, "straight": straight})
