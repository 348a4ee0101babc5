"""A build: one kernel for one structure of arguments, stage by stage.

Each stage is a function of the results before it, and is made when somebody asks for it: a text
that is known needs no program, and one that is only read needs no machine code.
"""

from collections.abc import Callable
from threading import RLock
from typing import Any

import numpy as np

from gradcompile.compiler import code as structure
from gradcompile.compiler import machine_code
from gradcompile.compiler.build_report import BuildReport
from gradcompile.compiler.code import EmittedCode
from gradcompile.compiler.machine_code import Machines, Target
from gradcompile.compiler.programs import differentiable
from gradcompile.compiler.request import Request
from gradcompile.compiler.strategies import MAX_STRAIGHT, Strategy
from gradcompile.emit.straight import emit
from gradcompile.ir.program import Program
from gradcompile.passes import erase
from gradcompile.support import files
from gradcompile.support.collector import collector_paused
from gradcompile.support.once import once
from gradcompile.support.timing import Stages

Run = Callable[..., Any]
"""Machine code, of the parameters of the emitted function."""


def _at_once(run: Run) -> Run:
    return run


class Build:
    """One kernel for one structure of arguments: program, source, machine code.

    Args:
        request: what to build.
        choose: says how the text is made.
        spread: makes what runs machine code on all rows, if there are any.
        few: with fewer rows than that, it is the machine code itself.

    Attributes:
        stages: where the time went.
        lock: held while a stage is made, so that threads do not make it twice.
    """

    def __init__(
        self,
        request: Request,
        choose: Callable[[Request, Stages], Strategy],
        spread: Callable[[Run], Run] = _at_once,
        few: int = 0,
    ) -> None:
        self.request = request
        self._few = few
        self._spread = spread
        self.lock = RLock()
        self.stages = Stages(dict(request.traced.seconds))
        is_large = len(request.traced.lowered) > MAX_STRAIGHT
        self.stages.progress = request.options.progress and is_large
        self._choose = choose

    @once
    def strategy(self) -> Strategy:
        """The way the text is made."""
        return self._choose(self.request, self.stages)

    @once
    @collector_paused()
    def differentiable(self) -> Program:
        """The program with the rules of the user's: what another graph may take over."""
        return differentiable(self.request, self.strategy.lowered, self.stages)

    @once
    @collector_paused()
    def program(self) -> Program:
        """The linear IR after every pass, before loops are found in it."""
        return erase(self.differentiable)

    @once
    @collector_paused()
    def code(self) -> EmittedCode:
        """The emitted module, and what it needs beside the inputs."""
        key, name = self.strategy.key, self.request.function_name
        if key is None:
            return self.strategy.emit(self.program, self.stages)
        known = structure.load(key, name)
        if known is not None:
            return known
        return structure.save(key, name, self.strategy.emit(self.program, self.stages))

    @property
    def source(self) -> str:
        """The emitted module."""
        return self.code.source

    @once
    def straight_source(self) -> str:
        """The emitted module without loops, in one function."""
        program, request = self.program, self.request
        signature = request.signature.of_one_row(len(program.data))
        return emit(program, signature, request.function_name, request.summary, len(program) + 1)

    def differing(self) -> set[int]:
        """Find the flat results, by index, that loops compute otherwise than the text without."""
        return self.strategy.differing(self.program, self.straight_source, self.code)

    @once
    def target(self) -> Target:
        """The emitted function as CPython runs it, and all that decides its machine code."""
        options, strategy, name = self.request.options, self.strategy, self.request.function_name
        constants = self.code.arguments(np.array(strategy.lowered.data))
        for array in constants:
            # Only so may numba take them for constants, when other machine code calls this one.
            array.flags.writeable = False
        module = files.load(self.source, name, options.cache)
        return Target(
            function=getattr(module, name),
            source=self.source,
            signature=self.request.signature,
            constants=constants,
            loops=strategy.loops,
            strict=options.strict,
            use_cache=options.cache,
        )

    @once
    @collector_paused()
    def machine(self) -> Any:
        """The machine code: a numba dispatcher of the inputs and the constants."""
        target = self.target
        with self.stages("import"):
            machine_code.load()
        with self.stages("numba"):
            return machine_code.compiled(target)

    @once
    def njit(self) -> Any:
        """The machine code as a numba dispatcher of the emitted function's parameters."""
        return machine_code.bound(self.target, self.machine)

    @once
    def dispatcher(self) -> Any:
        """The machine code as a numba dispatcher of flat arrays."""
        return machine_code.flattened(self.target, self.njit)

    @once
    def run(self) -> Run:
        """Machine code of the emitted parameters; what it cannot take is a TypeError."""
        return self.machines.run

    @once
    def machines(self) -> Machines:
        """Machine code on any number of rows, and on a few."""
        at_once = machine_code.runner(self.target, self.machine)
        return Machines(self._spread(at_once), at_once, self._few)

    def report(self) -> BuildReport:
        """Tell where the time went, compiling first what is not compiled yet."""
        origin = machine_code.origin(self.machine)
        lines, code = len(self.source.splitlines()), self.code
        return BuildReport(dict(self.stages.seconds), code.rolled, lines, origin, code.rules)
