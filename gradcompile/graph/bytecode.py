"""Follow a value through CPython's bytecode, from the instruction that made it to a variable.

No source text is needed, so code of `exec` and of an interactive session is followed as well. An
instruction that is not known here, as another version of CPython may have it, ends the way: then
there is no name.
"""

import dis
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from types import CodeType
from typing import NamedTuple

MAX_STEPS = 500
"""How many instructions are looked at, at most, to find where one value goes."""

CONTAINERS = frozenset(
    (
        "array",
        "asarray",
        "concatenate",
        "deque",
        "hstack",
        "list",
        "set",
        "stack",
        "tuple",
        "vstack",
    )
)
"""Callables whose result holds the items of their first argument."""

ADDERS = frozenset(("add", "append", "appendleft"))
"""Methods that put their argument into the object they belong to."""

ITSELF, SOMEWHERE = -1, -2
"""Which item of what is on the stack the value is: no item; one whose index is not known."""

_NAMES_ARE_SHIFTED = sys.version_info >= (3, 12)  # the last bit of LOAD_ATTR tells of a method
_LOOPS_END_BY_POP = sys.version_info >= (3, 13)
_HAS_ARGUMENT = frozenset(getattr(dis, "hasarg", range(dis.HAVE_ARGUMENT, 256)))
_MATRIX_PRODUCTS = (4, 17)  # BINARY_OP's arguments for @ and @=
_CALLS = ("CALL", "CALL_KW")
_LOCALS = ("LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_DEREF", "LOAD_CLASSDEREF")


class Step(NamedTuple):
    """One instruction: where it is, what it does, and with which number."""

    offset: int
    operation: str
    argument: int


class Destination(NamedTuple):
    """Where a value goes.

    Attributes:
        name: of the variable, the attribute or the container that it is put into; "" for none.
        offset: of the instruction that puts it there.
        item: which item of what is returned it is, or ITSELF or SOMEWHERE.
        is_returned: does it go to the caller, instead?
        is_yielded: does it go to whoever runs this generator, instead?
    """

    name: str = ""
    offset: int = -1
    item: int = ITSELF
    is_returned: bool = False
    is_yielded: bool = False


NOWHERE = Destination()


class Bytecode:
    """The instructions of a code object, each decoded where it is looked at.

    Args:
        code: of a function, a module or a comprehension.
    """

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.bytes = code.co_code + bytes([dis.opmap["NOP"], 0])  # so that a last one has a next

    @cached_property
    def variables(self) -> tuple[str, ...]:
        """The local variables, in the order in which instructions count them."""
        code = self.code
        cells = [name for name in code.co_cellvars if name not in code.co_varnames]
        return (*code.co_varnames, *cells, *code.co_freevars)

    def at(self, offset: int) -> Step:
        """Decode the instruction at an offset, or the one to whose inline cache that points."""
        while offset > 0 and self.bytes[offset] == 0:
            offset -= 2
        argument, shift, prefix = self.bytes[offset + 1], 8, offset - 2
        while prefix >= 0 and self.bytes[prefix] == dis.EXTENDED_ARG:
            argument |= self.bytes[prefix + 1] << shift
            shift, prefix = shift + 8, prefix - 2
        return Step(offset, dis.opname[self.bytes[offset]], argument)

    def after(self, step: Step) -> Step:
        """Decode the next instruction."""
        return self.at(self._skip(self._end(step), dis.EXTENDED_ARG))

    def before(self, offset: int) -> Iterator[Step]:
        """Decode the instructions before an offset, the last one first."""
        for _ in range(MAX_STEPS):
            offset -= 2
            while offset >= 0 and self.bytes[offset] in (0, dis.EXTENDED_ARG):
                offset -= 2
            if offset < 0:
                return
            yield self.at(offset)

    def target(self, step: Step) -> Step:
        """Decode the instruction to which another one jumps."""
        sign = -2 if "BACKWARD" in step.operation else 2
        return self.at(self._skip(self._end(step) + sign * step.argument, dis.EXTENDED_ARG))

    def _end(self, step: Step) -> int:
        return self._skip(step.offset + 2, 0)  # behind its inline cache

    def _skip(self, offset: int, code: int) -> int:
        while self.bytes[offset] == code:
            offset += 2
        return offset

    def is_one_operation(self, step: Step) -> bool:
        """Tell whether an instruction is an operator that makes one value, or one an element."""
        if step.operation == "BINARY_OP":
            return step.argument not in _MATRIX_PRODUCTS
        return step.operation.startswith(("UNARY_", "COMPARE_OP"))

    def is_matrix_product(self, step: Step) -> bool:
        """Tell whether an instruction is the operator of the matrix product."""
        return step.operation == "BINARY_OP" and step.argument in _MATRIX_PRODUCTS

    def callee(self, step: Step) -> str:
        """Give the name of what an instruction calls; "" if it has none."""
        if step.operation == "LOAD_ATTR":  # of a property
            return self.loaded(step, 0)
        if step.operation not in _CALLS:
            return ""
        # Before the call all arguments are there; after it only the result, in place of the callee.
        arguments = step.argument + (step.operation == "CALL_KW")
        return self.callable_below(step.offset, arguments, 1)[0]

    def callable_below(self, offset: int, top: int, slot: int) -> tuple[str, str]:
        """Name what is called, and the object whose method it is; "" where there is no name.

        Args:
            offset: of an instruction.
            top: the slot on top of the stack before it.
            slot: that of the first argument.
        """
        maker = self.maker(offset, top, slot - 1)
        if maker is not None and maker[0].operation == "PUSH_NULL":  # from 3.13 on below arguments
            maker = self.maker(offset, top, slot - 2)
        if maker is None:
            return "", ""
        name = self.loaded(*maker)
        owner = next(self.before(maker[0].offset), None)
        is_attribute = maker[0].operation in ("LOAD_METHOD", "LOAD_ATTR")
        return name, self.loaded(owner, 0) if is_attribute and owner is not None else ""

    def maker(self, offset: int, top: int, slot: int) -> tuple[Step, int] | None:
        """Find the instruction before an offset that made what is in a slot of the stack.

        Args:
            offset: of an instruction.
            top: the slot on top of the stack before it.
            slot: counted as `top` is.

        Returns:
            The instruction, and how many slots above this one it filled as well.
        """
        for step in self.before(offset):
            below = top - effect(step)
            if top == slot or below < slot <= top:
                return step, top - slot
            top = below
        return None

    def loaded(self, step: Step, above: int) -> str:
        """Give the name of what an instruction has loaded; "" for what has none.

        Args:
            step: the instruction.
            above: how many slots above the one that is meant it filled as well.
        """
        operation, argument, names = step.operation, step.argument, self.code.co_names
        if operation in _LOCALS:
            return self.variables[argument]
        if operation == "LOAD_FAST_LOAD_FAST":
            return self.variables[argument >> 4 if above else argument & 15]
        if operation == "STORE_FAST_LOAD_FAST":
            return self.variables[argument & 15]
        if operation == "LOAD_GLOBAL":
            return names[argument >> 1]
        if operation in ("LOAD_NAME", "LOAD_METHOD"):
            return names[argument]
        if operation == "LOAD_ATTR":
            return names[argument >> 1 if _NAMES_ARE_SHIFTED else argument]
        if operation == "BINARY_SUBSCR":  # an item of a container: its name is the container's
            maker = self.maker(step.offset, 1, 0)
            return "" if maker is None else self.loaded(*maker)
        return ""


def effect(step: Step) -> int:
    """Give by how much an instruction changes the height of the stack."""
    if step.operation == "PRECALL":  # 3.11 counts the arguments here, and not in CALL
        return 0
    if step.operation == "CALL":
        return -step.argument - 1
    code = dis.opmap[step.operation]
    return dis.stack_effect(code, step.argument if code in _HAS_ARGUMENT else None, jump=False)


def follow(text: Bytecode, step: Step, item: int = ITSELF) -> Destination:
    """Find where the value goes that an instruction leaves on top of the stack.

    Args:
        text: the code.
        step: the instruction.
        item: which item of what is on top the value is, or ITSELF or SOMEWHERE.
    """
    try:
        return _Way(text, step, item).end()
    except (IndexError, ValueError):  # an instruction that another version has differently
        return NOWHERE


class _Way:
    """The way of a value over the stack, instruction by instruction.

    Attributes:
        slot: where the value is, or the container that holds it; 0 is where it was made.
        top: the slot on top of the stack.
        item: which item of what is in the slot the value is, or ITSELF or SOMEWHERE.
        anchor: the offset of an instruction, and the slot on top before it: what lies below the
            value was made by the instructions before.
    """

    def __init__(self, text: Bytecode, made_by: Step, item: int) -> None:
        self.text = text
        self.next = text.after(made_by)
        self.slot = self.top = 0
        self.item = item
        self.anchor = (self.next.offset, 0)

    def end(self) -> Destination:
        """Go to where the value is stored, returned or computed with."""
        for _ in range(MAX_STEPS):
            step = self.next
            self.next = self.text.after(step)
            destination = _HANDLERS.get(step.operation, _compute)(self, step)
            if destination is not None:
                return destination
        return NOWHERE


def _compute(way: _Way, step: Step) -> Destination | None:
    """Pass an instruction that reads the top of the stack and leaves its result there."""
    change = effect(step)
    if step.operation in ("LOAD_ATTR", "LOAD_METHOD") and way.top == way.slot:
        return NOWHERE
    way.top += change
    return NOWHERE if way.top <= way.slot else None


def _ignore(way: _Way, step: Step) -> None:
    """Pass an instruction that leaves the stack as it is."""


def _pop(way: _Way, step: Step) -> Destination | None:
    way.top += effect(step)
    return NOWHERE if way.top < way.slot else None


def _swap(way: _Way, step: Step) -> None:
    other = way.top - step.argument + 1
    if way.slot in (way.top, other):
        way.slot = way.top + other - way.slot


def _copy(way: _Way, step: Step) -> None:
    is_ours = way.slot == way.top - step.argument + 1
    way.top += 1
    if is_ours:
        way.slot = way.top


def _store(way: _Way, step: Step) -> Destination | None:
    way.top -= 1
    if way.top >= way.slot:
        return None
    is_local = step.operation in ("STORE_FAST", "STORE_DEREF")
    names = way.text.variables if is_local else way.text.code.co_names
    return Destination(names[step.argument], step.offset)


def _store_two(way: _Way, step: Step) -> Destination | None:
    is_first = way.top == way.slot
    way.top -= 2
    if way.top >= way.slot:
        return None
    number = step.argument >> 4 if is_first else step.argument & 15
    return Destination(way.text.variables[number], step.offset)


def _store_and_load(way: _Way, step: Step) -> Destination | None:
    if way.top > way.slot:
        return None
    return Destination(way.text.variables[step.argument >> 4], step.offset)


def _store_attribute(way: _Way, step: Step) -> Destination | None:
    way.top -= 2
    if way.top >= way.slot:
        return None
    is_value = way.top + 1 == way.slot
    return Destination(way.text.code.co_names[step.argument], step.offset) if is_value else NOWHERE


def _store_item(way: _Way, step: Step) -> Destination | None:
    top = way.top
    way.top += effect(step)
    if way.top >= way.slot:
        return None
    if way.top + 1 != way.slot:
        return NOWHERE
    text, offset = way.text, step.offset
    if next(text.before(offset)).operation == "SWAP":  # h[i] += …: loaded before the value was made
        maker = text.maker(*way.anchor, way.slot)
    else:
        maker = text.maker(offset, top, way.slot + 1)
    return Destination("" if maker is None else text.loaded(*maker), offset)


def _return(way: _Way, step: Step) -> Destination:
    return Destination(offset=step.offset, item=way.item, is_returned=True)


def _yield(way: _Way, step: Step) -> Destination | None:
    if way.top > way.slot or way.item != ITSELF:
        return NOWHERE
    return Destination(offset=step.offset, is_yielded=True)


def _collect(way: _Way, step: Step) -> None:
    """Pass the instruction of a comprehension that adds to the list, set or dict."""
    way.top += effect(step)
    if way.slot > way.top:
        way.slot, way.item = way.top - step.argument + 1, SOMEWHERE


def _build(way: _Way, step: Step) -> None:
    way.top -= step.argument - 1
    if way.slot >= way.top:
        way.item = way.slot - way.top if way.item == ITSELF else SOMEWHERE
        way.slot = way.top


def _unpack(way: _Way, step: Step) -> Destination | None:
    if way.slot == way.top:
        if not 0 <= way.item < step.argument:
            return NOWHERE
        way.slot += step.argument - 1 - way.item
        way.item = ITSELF
    way.top += step.argument - 1
    return None


def _call(way: _Way, step: Step) -> Destination | None:
    count = step.argument + (step.operation == "CALL_KW")
    result = way.top - count - 1  # the callee takes two slots
    first = result + 2
    way.top = result
    if way.slot < result:
        return None
    if way.slot != first:
        return NOWHERE
    name, owner = way.text.callable_below(*way.anchor, first)
    if name in ADDERS and step.argument == 1:
        return Destination(owner, step.offset)
    if name not in CONTAINERS or way.item == ITSELF:
        return NOWHERE
    way.slot, way.item = result, SOMEWHERE
    return None


def _jump(way: _Way, step: Step) -> Destination | None:
    target = way.text.target(step)
    if step.operation == "JUMP_FORWARD":
        way.next = target
        return None
    if target.operation != "FOR_ITER":
        return NOWHERE
    # The loop of a comprehension: the way goes on behind it, without its iterator.
    way.anchor = (target.offset, way.top)
    way.top -= 1
    way.next = way.text.target(target)
    if way.next.operation == "END_FOR":
        way.next = way.text.after(way.next)
        if _LOOPS_END_BY_POP:
            way.next = way.text.after(way.next)
    return None


_HANDLERS: Mapping[str, Callable[[_Way, Step], Destination | None]] = {
    **dict.fromkeys(("NOP", "RESUME", "PRECALL", "KW_NAMES"), _ignore),
    **dict.fromkeys([x for x in dis.opmap if x.startswith(("POP_JUMP", "POP_TOP"))], _pop),
    **dict.fromkeys(("STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL"), _store),
    **dict.fromkeys(("STORE_SUBSCR", "STORE_SLICE"), _store_item),
    **dict.fromkeys(("LIST_APPEND", "SET_ADD", "MAP_ADD"), _collect),
    **dict.fromkeys(("BUILD_TUPLE", "BUILD_LIST"), _build),
    **dict.fromkeys(("JUMP_FORWARD", "JUMP_BACKWARD"), _jump),
    **dict.fromkeys(_CALLS, _call),
    "STORE_FAST_STORE_FAST": _store_two,
    "STORE_FAST_LOAD_FAST": _store_and_load,
    "STORE_ATTR": _store_attribute,
    "SWAP": _swap,
    "COPY": _copy,
    "RETURN_VALUE": _return,
    "YIELD_VALUE": _yield,
    "UNPACK_SEQUENCE": _unpack,
}
"""What the instructions do to the stack that do more than compute."""
