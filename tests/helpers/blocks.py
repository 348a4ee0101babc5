"""Random programs made of repeated random blocks: what rolling is meant to find again.

A program is a few stages. A stage applies one random block, an expression of some depth with sums
in it, at every row and unit of a grid; each block reads inputs, data, what the stage before made,
or the blocks beside it. Everything structural is drawn from a seed, so the seed names a program;
the constants that are data are drawn apart, so one structure can be had over several data.

A regular program has the same width everywhere, so that each value is read as often as its peers.
The others leave some blocks out, exchange operands, shorten sums and add operations here and there.
"""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from gradcompile.ops import table
from gradcompile.ops.table import TABLE

LAYOUTS = ("layer", "recurrence", "window", "gather", "triangle")

_LEAVES = {
    "layer": ("in", "in", "weight", "bias", "shared", "own"),
    "recurrence": ("in", "weight", "bias", "peer", "peer", "shared", "own"),
    "window": ("near", "near", "weight", "shared", "own"),
    "gather": ("gather", "gather", "weight", "bias", "own"),
    "triangle": ("in", "earlier", "earlier", "weight", "own"),
}
"""What the blocks of a layout read; what stands twice is read more often."""

_USUAL = ("add", "sub", "mul", "mul", "tanh", "neg", "square", "div", "relu", "exp")
_SQUASHING = ("tanh", "sigmoid", "sin", "atan", "erf")
_CONSTANTS = (0.5, 2.0, -1.0, 1.0, 0.0, 0.1, -3.0)


_TURNS: dict[str, Callable[[list[list[Any]]], list[list[Any]]]] = {
    "": lambda rows: rows,
    "upwards": lambda rows: rows[::-1],
    "leftwards": lambda rows: [row[::-1] for row in rows],
    "transposed": lambda rows: [list(column) for column in zip(*rows, strict=False)],
}


@dataclass(frozen=True)
class Node:
    """A part of a block: an operation, a sum over t, a constant, or a leaf.

    Attributes:
        kind: the operation's name, "sum", "constant", or the kind of the leaf.
        parts: the operands.
        slot: which weights, or data, a leaf reads; for a sum, how its terms are added.
        number: of a constant.
    """

    kind: str
    parts: tuple["Node", ...] = ()
    slot: int = 0
    number: float = 0.0

    def __iter__(self) -> Iterator["Node"]:
        yield self
        for part in self.parts:
            yield from part


@dataclass(frozen=True)
class Stage:
    """One block at every place of a grid.

    Attributes:
        layout: what its blocks read; see `LAYOUTS`.
        rows, units: the extents of the grid.
        length: of the sums.
        block: the expression.
        label: of the results.
        turn: how the rows before are turned; see `_TURNS`.
        stride: of windows.
        returned: does the program return what it makes, though a later stage reads it?
    """

    layout: str
    rows: int
    units: int
    length: int
    block: Node
    label: str
    turn: str
    stride: int
    returned: bool


@dataclass(frozen=True)
class Irregular:
    """How often blocks differ from each other."""

    exchanged: float = 0.0
    missing: float = 0.0
    shorter: float = 0.0
    longer: float = 0.0


@dataclass
class Blocks:
    """A program of blocks, as its seed says.

    Attributes:
        seed: of everything.
        regular: are all blocks of a stage alike?
        data: the seed of the constants that are data.
        at: a point: one number an input.
    """

    seed: int
    regular: bool = False
    data: int = 0
    at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(f"blocks {self.seed} {self.regular}")
        self._rng = rng
        self.width = rng.randint(2, 6)
        if self.regular:
            rows, units = rng.randint(4, 10), self.width
            self.given = rows * self.width
            self.irregular = Irregular()
        else:
            rows, units = self._grid()
            self.given = rng.choice((1, self.width)) * self.width
            self.irregular = Irregular(*(rng.choice((0.0, 0.1, 0.3)) for _ in range(4)))
        self.counts: dict[tuple[str, int, int], int] = {}
        self.inputs = self.given
        self.stages: list[Stage] = []
        self._result = rng.choice(("sum", "mean", "squares", "weighted", "balanced"))
        for number in range(rng.randint(1, 3)):
            self._add_stage(number, rows, units)
            if not self.regular:
                units = rng.randint(1, max(1, 40 // rows))
        self.inputs += rng.choice((0, 0, 1, 3))  # nothing reads these
        self.at = self._point(self.inputs)

    def _point(self, inputs: int) -> list[float]:
        rng = random.Random(f"point {self.seed}")
        return [rng.uniform(-1.2, 1.2) for _ in range(inputs)]

    def _grid(self) -> tuple[int, int]:
        blocks = self._rng.randint(2, 40)
        rows = self._rng.choice((1, 2, 3, 5, 8, blocks))
        return min(rows, blocks), max(1, blocks // rows)

    # --- drawing ---------------------------------------------------------------------------------

    def _add_stage(self, number: int, rows: int, units: int) -> None:
        """Add a stage whose results are finite and of moderate size."""
        rng = self._rng
        for _ in range(50):
            # The sums of a triangle differ in length.
            layout = rng.choice(LAYOUTS[:-1] if self.regular else LAYOUTS)
            block = self._node(rng.randint(2, 6), layout, in_sum=False)
            if not any(leaf.kind in ("in", "near", "gather", "earlier") for leaf in block):
                continue
            if rng.random() < 0.5:
                block = Node(rng.choice(_SQUASHING), (block,))
            label = rng.choice(("", f"h{number}", f"layer[{number}]", "h", "x", "total"))
            length = rng.randint(1, units if self.regular else 6)
            turn = rng.choice([x for x in _TURNS if x != "transposed" or not self.regular])
            stride = 1 if self.regular else rng.choice((1, 1, 2, 3))
            returned = rng.random() < 0.2
            stage = Stage(layout, rows, units, length, block, label, turn, stride, returned)
            self.stages.append(stage)
            at = self._point(self.inputs + 1000)
            flat = [x for values in self._run(at)[number + 1] for x in values]
            if len(flat) > 1 and all(math.isfinite(x) and 1e-6 < abs(x) < 1e3 for x in flat):
                break
            self.stages.pop()
        else:
            block = Node("tanh", (Node("mul", (Node("in"), Node("weight"))),))
            self.stages.append(Stage("layer", rows, units, 2, block, "h", "", 1, returned=False))
        self.inputs = self._place_inputs()

    def _node(self, depth: int, layout: str, in_sum: bool) -> Node:
        rng = self._rng
        if depth == 0 or rng.random() < 0.1:
            if rng.random() < 0.12:
                return Node("constant", number=rng.choice(_CONSTANTS))
            return Node(rng.choice(_LEAVES[layout]), slot=rng.randint(0, 1))
        if not in_sum and rng.random() < 0.35:
            part = self._node(depth - 1, layout, in_sum=True)
            return Node("sum", (part,), slot=rng.randint(0, 4))
        op = TABLE[rng.choice(_USUAL if rng.random() < 0.75 else list(TABLE))]
        parts = [self._node(depth - 1, layout, in_sum) for _ in range(op.arity)]
        if op.name in ("polygamma", "pow"):  # of whole numbers
            parts[op.name == "pow"] = Node("constant", number=float(rng.randint(1, 3)))
        return Node(op.name, tuple(parts))

    def _place_inputs(self) -> int:
        """Give every kind of leaf of each stage its inputs, one after the other."""
        self.counts.clear()
        start = self.given
        for number, stage in enumerate(self.stages):
            sizes = {"weight": stage.units * stage.length, "bias": stage.units, "shared": 1,
                     "peer": stage.units}  # fmt: skip
            for kind, size in sizes.items():
                for slot in (0, 1):
                    if any(x.kind == kind and x.slot == slot for x in stage.block):
                        self.counts[kind, number, slot] = start
                        start += size
        return start

    # --- building --------------------------------------------------------------------------------

    def outputs(self, inputs: Sequence[Any]) -> list[Any]:
        """What the program computes, from numbers or Values: some results twice, some inputs."""
        rng = random.Random(f"outputs {self.seed}")
        results = self._run(inputs)
        found = [x for stage, values in zip(self.stages, results[1:], strict=True)
                 for row in values for x in row
                 if stage.returned or stage is self.stages[-1]]  # fmt: skip
        if rng.random() < 0.3:
            found += rng.choices(found, k=rng.randint(1, 4))
        if rng.random() < 0.3:
            found += inputs[: rng.randint(1, 3)]
        if rng.random() < 0.3:
            rng.shuffle(found)
        return found

    def root(self, inputs: Sequence[Any]) -> Any:
        """One number made of everything."""
        found = self.outputs(inputs)
        if self._result == "squares":
            return sum((x * x for x in found), 0.0) / len(found)
        if self._result == "weighted":
            return sum((0.1 * k + 0.3) * x for k, x in enumerate(found))
        if self._result == "balanced":
            return balanced(found)
        total = sum(found)
        return total / len(found) if self._result == "mean" else total

    @cached_property
    def kinds(self) -> set[str]:
        """The operations, and the kinds of leaves, that it uses."""
        return {node.kind for stage in self.stages for node in stage.block}

    def _run(self, inputs: Sequence[Any]) -> list[list[list[Any]]]:
        """The given rows, and for each stage the rows that it makes of the rows before."""
        self._place_inputs()
        rows = [list(inputs[k : k + self.width]) for k in range(0, self.given, self.width)]
        results = [rows]
        for number, stage in enumerate(self.stages):
            results.append(_Run(self, number, stage, results[-1], inputs).rows())
        return results


class _Run:
    """A stage at work."""

    def __init__(
        self,
        program: Blocks,
        number: int,
        stage: Stage,
        before: list[list[Any]],
        inputs: Sequence[Any],
    ) -> None:
        self.program = program
        self.number = number
        self.stage = stage
        self.before = _TURNS[stage.turn]([row for row in before if row])
        self.inputs = inputs
        self.rng = random.Random(f"run {program.seed} {number}")
        self.data = random.Random(f"data {program.data} {number}")
        self.indices = [self.rng.randrange(1000) for _ in range(97)]
        self.permutation = self.rng.sample(range(stage.units), stage.units)
        self.own: dict[tuple[int, ...], float] = {}
        self.made: list[list[Any]] = []

    def rows(self) -> list[list[Any]]:
        stage, rng, irregular = self.stage, self.rng, self.program.irregular
        for r in range(stage.rows):
            self.made.append([])
            for u in range(stage.units):
                if rng.random() < irregular.missing:
                    continue
                length = stage.length if stage.layout != "triangle" else r + 1
                if rng.random() < irregular.shorter:
                    length = max(1, length - rng.randint(1, 2))
                value = self.value(stage.block, r, u, 0, length)
                if rng.random() < irregular.longer:
                    value = TABLE[rng.choice(("sin", "neg", "tanh"))](value)
                if stage.label and hasattr(value, "label"):
                    value.label = f"{stage.label}[{r}][{u}]"
                self.made[-1].append(value)
        if not any(self.made):
            self.made[0].append(self.value(stage.block, 0, 0, 0, 1))
        return self.made

    def value(self, node: Node, r: int, u: int, t: int, length: int) -> Any:
        if node.kind == "constant":
            return node.number
        if node.kind == "sum":
            terms = [self.value(node.parts[0], r, u, t, length) for t in range(length)]
            return _ADDING[node.slot](terms)
        if node.kind in TABLE:
            parts = [self.value(part, r, u, t, length) for part in node.parts]
            op = TABLE[node.kind]
            if op.commutative and self.rng.random() < self.program.irregular.exchanged:
                parts.reverse()
            return op(*parts)
        return self.leaf(node, r, u, t)

    def leaf(self, node: Node, r: int, u: int, t: int) -> Any:
        before, stage = self.before, self.stage
        row = before[r % len(before)]
        if node.kind == "in":
            return row[(t if node.slot else u) % len(row)]
        if node.kind == "near":
            return row[(u * stage.stride + t) % len(row)]
        if node.kind == "gather" and self.program.regular:
            return row[self.permutation[(u + t) % len(row)]]
        if node.kind == "gather":
            return row[self.indices[(u * stage.length + t) % len(self.indices)] % len(row)]
        if node.kind == "earlier":
            earlier = before[t % len(before)]
            return earlier[u % len(earlier)]
        if node.kind == "own":
            return self.constant(r, u, t, node.slot)
        start = self.program.counts[node.kind, self.number, node.slot]
        if node.kind == "weight":
            return self.inputs[start + (u * stage.length + t) % (stage.units * stage.length)]
        if node.kind == "bias":
            return self.inputs[start + u]
        if node.kind == "shared":
            return self.inputs[start]
        # A peer: the block before in the row, or the row before as a whole.
        made = self.made
        if node.slot and len(made) > 1 and made[-2]:
            return made[-2][(u + t) % len(made[-2])]
        if not node.slot and made[-1]:
            return made[-1][-1]
        return self.inputs[start + u]

    def constant(self, *place: int) -> float:
        """A constant of this block alone, the same object wherever the block reads it."""
        if place not in self.own:
            self.own[place] = self.data.uniform(-1.5, 1.5)
        return self.own[place]


def balanced(terms: Sequence[Any]) -> Any:
    """The sum as a tree of additions."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    return table.add(balanced(terms[:middle]), balanced(terms[middle:]))


_ADDING: tuple[Callable[[list[Any]], Any], ...] = (
    sum,
    sum,
    lambda terms: sum(terms[1:], terms[0]),
    lambda terms: sum(reversed(terms), 0.25),
    balanced,
)
