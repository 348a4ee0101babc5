"""Your names: which variable a traced value is bound to, in the code that made it.

    h = np.tanh(W @ x + b)              the elements are called h, the sums inside have no name
    h = [neuron(w, x) for w in rows]    so are what comprehensions and helper functions return
    total += error                      total, each time

When a value is made, the frames that run tell which instruction of the user's asked for it. Where
the result of this instruction goes is in the bytecode. It is found once and remembered, so that a
name costs about as much as looking it up.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from inspect import CO_GENERATOR
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from gradcompile.graph.bytecode import (
    CONTAINERS,
    ITSELF,
    NOWHERE,
    SOMEWHERE,
    Bytecode,
    Destination,
    follow,
)
from gradcompile.graph.users import is_users
from gradcompile.ops import operators, table
from gradcompile.ops.op import Op
from gradcompile.ops.operators import Operators

MAX_SITES = 20_000
"""How many instructions are remembered, at most."""

MAX_CODES = 256
"""How many code objects are, while their instructions are looked at."""

YIELDED = -3
"""How a value comes to the caller of a generator; else it is what `bytecode.follow` takes."""

_OPERATIONS = frozenset(name for op in table.TABLE.values() for name in (op.name, op.ufunc) if name)
_COMPREHENSIONS = ("<listcomp>", "<setcomp>", "<dictcomp>")
_GIVES_A_VALUE = ("BINARY_", "CALL", "COMPARE_OP", "FOR_ITER", "LOAD_ATTR", "UNARY_")


class SharedName(NamedTuple):
    """A name for some of the values that one instruction makes: for those that it leaves.

    The sums inside of `h = gdc.softmax(x)` are not h. They are read where they are made.

    Attributes:
        name: of the variable.
        target: the instruction that binds it.
        is_product: are the values those of a matrix product? Of these only sums are left.
    """

    name: str
    target: tuple[int, int]
    is_product: bool


Bound = str | SharedName
"""What a traced value is bound to; "" for nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class _Site:
    """An instruction that makes values, or calls what makes them.

    Attributes:
        code: where it is; kept, so that its id is not given to another.
        destination: where its result goes.
        operation: the name of the instruction.
        callee: the name of what it calls.
        is_product: is it the operator of the matrix product?
        is_one: is a value by itself what it makes, or are some read by others?
        bound: what its results are bound to; None if only the caller tells.
    """

    code: CodeType
    destination: Destination = NOWHERE
    operation: str = ""
    callee: str = ""
    is_product: bool = False
    is_one: bool = False
    bound: Bound | None = ""


_sites: dict[tuple[int, int], _Site] = {}
"""What was examined, by place and by the item that comes there."""

_internal: dict[str, bool] = {}
"""Which files are none of a user's."""

KNOWN: dict[int, Bound] = {}
"""What the results of instructions are bound to, by place, where the frames need not tell.

The place of an instruction is the id of its code object plus its offset. It is of no other one:
the bytecode lies inside of the code object, so the sum is an address in there.
"""

_last: list[tuple[FrameType | None, Bound]] = [(None, "")]
"""One frame of gradcompile or numpy, and what the values that it makes are bound to.

As long as a frame runs, so does the instruction that called it. Most values of a composite function
are made by one frame, and to find who called it takes longer than to make a value.
"""


def call(function: Callable[..., Any], args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call the function that is traced: no name is looked for in what calls this."""
    try:
        return function(*args, **kwargs)
    finally:
        _last[0] = (None, "")


_OUTERMOST = call.__code__
_OPERATORS = frozenset(
    id(function.__code__)
    for function in (*vars(Operators).values(), operators._binary, Op.__call__)
    if isinstance(function, FunctionType)
)
"""Code that is called for each value, and calls what makes it."""


def binding(frame: FrameType) -> Bound:
    """Tell what the value is bound to that is being made.

    Args:
        frame: of the user's code, or any that it has called.
    """
    while id(frame.f_code) in _OPERATORS and frame.f_back is not None:
        frame = frame.f_back
    internal, bound = _last[0]
    if internal is frame:
        return bound
    user = _users_frame(frame)
    if user is None:
        bound = ""
    elif (known := KNOWN.get(id(user.f_code) + user.f_lasti)) is not None:
        bound = known
    else:
        bound = _of_user(user)
    if user is not frame and not frame.f_code.co_flags & CO_GENERATOR:
        _last[0] = (frame, bound)
    return bound


def _users_frame(frame: FrameType) -> FrameType | None:
    """Give the frame itself, or that of the user's code that called it; None outside of a trace."""
    found: FrameType | None = frame
    while found is not None:
        code = found.f_code
        is_internal = _internal.get(code.co_filename)
        if is_internal is None:
            is_internal = _internal[code.co_filename] = not is_users(code.co_filename)
        if not is_internal:
            break
        found = found.f_back if code is not _OUTERMOST else None
    return found


def _of_user(frame: FrameType) -> Bound:
    """Tell what a frame of the user's binds a value to that it makes now."""
    site = _site(frame, ITSELF)
    if site.bound is None:
        return _of_caller(frame, site)
    KNOWN[id(site.code) + frame.f_lasti] = site.bound
    return site.bound


def _site(frame: FrameType, item: int) -> _Site:
    """Look up the instruction that a frame runs."""
    code, offset = frame.f_code, frame.f_lasti
    place = (id(code) + offset, item)
    site = _sites.get(place)
    if site is None:
        if len(_sites) >= MAX_SITES:
            KNOWN.clear()
            _sites.clear()
            _internal.clear()
        site = _sites[place] = _examined(code, offset, item)
    return site


_text = lru_cache(MAX_CODES)(Bytecode)


def _examined(code: CodeType, offset: int, item: int) -> _Site:
    """Find out what becomes of the result of an instruction."""
    text = _text(code)
    step = text.at(offset)
    if step.operation == "PRECALL":
        step = text.after(step)
    if not step.operation.startswith(_GIVES_A_VALUE):
        return _Site(code)
    callee, is_product = text.callee(step), text.is_matrix_product(step)
    is_one = text.is_one_operation(step) or callee in _OPERATIONS
    if item == YIELDED:
        is_kept = callee in CONTAINERS  # such as list(tanh(n) for n in ns)
        is_one = is_kept or step.operation == "FOR_ITER"
        item = SOMEWHERE if is_kept else ITSELF
    destination = follow(text, step, item)
    if destination.is_returned or destination.is_yielded:
        bound = None
    else:
        bound = _bound(code, destination, is_one, is_product)
    return _Site(code, destination, step.operation, callee, is_product, is_one, bound)


def _bound(code: CodeType, destination: Destination, is_one: bool, is_product: bool) -> Bound:
    name, offset = destination.name, destination.offset
    if not _tells(name):
        return ""
    return name if is_one else SharedName(name, (id(code), offset), is_product)


def _tells(name: str) -> bool:
    """Tell whether a variable of this name says what its value is."""
    is_special = name.startswith("__") and name.endswith("__")
    return name.isidentifier() and name != "self" and name.strip("_") != "" and not is_special


def _of_caller(frame: FrameType, site: _Site) -> Bound:
    """Tell what a value is bound to that a function returns or yields."""
    is_one, is_product = site.is_one, site.is_product
    while site.bound is None:
        item = YIELDED if site.destination.is_yielded else site.destination.item
        function, caller = frame.f_code, frame.f_back
        user = None if caller is None else _users_frame(caller)
        if user is None:
            return ""
        frame, site = user, _site(user, item)
        # What calls back may compute with the value, or call the function often.
        is_one = is_one and user is caller
        is_one = is_one and _is_direct(site, function, item)
    return _bound(site.code, site.destination, is_one, is_product)


def _is_direct(site: _Site, function: CodeType, item: int) -> bool:
    """Tell whether an instruction itself calls a function, and not something that it calls."""
    name = function.co_name
    if item == YIELDED or site.operation == "FOR_ITER" or name in _COMPREHENSIONS:
        return site.is_one or item != YIELDED
    is_operator = name.startswith("__") and not site.operation.startswith("CALL")
    return name == site.callee or is_operator


def bound_names(values: Sequence[Any]) -> dict[int, str]:
    """Name the values that are bound to a variable, each by its place among them.

    Args:
        values: traced values and other Values that have operands.
    """
    groups = [value for value in values if type(value.bound) is SharedName]
    inner = {
        operand
        for value in groups
        for operand in value.operands
        if type(operand.bound) is SharedName
        and operand.bound.target == value.bound.target
        and (not value.bound.is_product or value.op is table.add)
    }
    names = {}
    for place, value in enumerate(values):
        bound = value.bound
        if type(bound) is SharedName:
            bound = "" if value in inner else bound.name
        if bound:
            names[place] = bound
    return names
