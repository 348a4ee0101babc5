"""Calls without cost: Python functions for each kernel, written for the arguments they will get.

What a training loop passes is known after the first call: so many numbers, arrays of this shape,
lists of that length. The function that is written here looks at nothing but whether it is given
such arguments again, hands them to machine code as they are, and puts what comes back into the form
that the user knows. Anything else goes the general way, which converts it or explains:

    def call(w=__absent, b=__absent, *__rest, **__others):
        try:
            if (__type(w) is __list and __len(w) == 3 and __floats.issuperset(__map(__type, w))
                    and not __rest and not __others):
                __a0, (__b0, __b1) = __machine(__array(w, __float64), b)
                return __a0, __make(__Gradient, (__b0.tolist(), __b1))
        except __TypeError:
            pass
        return __general(w, b, *__rest, **__others)

Single numbers and arrays are not looked at here: machine code refuses, by a TypeError, what it
cannot take as it is, and sees that faster than Python can. What is static is compared, and has to
be absent where its default was used.

No text of the user's is in it but the names of arguments.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gradcompile.compiler.machine_code import Machines
from gradcompile.compiler.plain_arguments import ABSENT, NotPlainError, PlainTests, Tested
from gradcompile.compiler.unpacking import Returned, unpack_lines
from gradcompile.graph.nested import Structure
from gradcompile.graph.static import Static
from gradcompile.ir.signature import Bundle

Call = Callable[..., Any]


@dataclass(frozen=True)
class Called:
    """How a kernel is called.

    Attributes:
        name: of the kernel, for Python's own messages.
        signature: of the user's function.
        data: the names of its arguments that are data, in its order.
        arguments: the structures of these, those of the rows where they are batched.
        statics: the arguments that are static; any other is left out for its default.
        batched: the arguments that hold rows of data.
        returned: what the user gets.
    """

    name: str
    signature: inspect.Signature
    data: Sequence[str]
    arguments: Mapping[str, Structure]
    statics: Mapping[str, Static]
    batched: Sequence[str]
    returned: Returned


def written_call(called: Called, machines: Machines, general: Call) -> Call | None:
    """Write the call of a kernel; None if its arguments are too many or of too many kinds.

    Args:
        called: how it is called.
        machines: take the bundles of its arguments.
        general: takes any other call as a written one does, with what is absent in its place.
    """
    parameters = called.signature.parameters
    if not _is_simple(called.signature):
        return None
    tests = PlainTests()
    for name in parameters:
        if name not in called.arguments:
            tests.static(called.statics.get(name), name)
    try:
        tested = iter([x for name in called.data for x in _tested(called, name, tests)])
    except NotPlainError:
        return None
    given = [given_text(group, tested, tests) for group in called.returned.signature.parameters]
    machine = f"(__of_few if __n < {machines.few} else __machine)" if machines.few else "__machine"
    result = f"{machine}({', '.join(given)})"
    text = _call_text(parameters, tests, unpack_lines(called.returned, result, tests.refer))
    return _made(text, tests, machines, general, called.name)


def written_unpack(returned: Returned) -> Callable[[Any], Any]:
    """Write the function that puts what machine code returns into the user's form."""
    tests = PlainTests()
    lines = unpack_lines(returned, "__result", tests.refer)
    text = "\n".join(["def unpack(__result):", *(f"    {line}" for line in lines)])
    names = dict(tests.globals)
    exec(compile(text, "<unpack>", "exec"), names)  # our own text
    unpack: Callable[[Any], Any] = names["unpack"]
    return unpack


def _tested(called: Called, name: str, tests: PlainTests) -> list[Tested]:
    test = tests.rows if name in called.batched else tests.argument
    return list(test(called.arguments[name], name))


def given_text(group: Bundle, tested: Iterator[Tested], tests: PlainTests) -> str:
    """What machine code is given for a bundle."""
    if group.is_merged:
        return tests.numbers([expression for expression, _ in islice(tested, group.size)])
    expression, shape = next(tested)
    if shape is None or shape == group.shape:
        return expression
    # An array stands where a list was named, or the other way round.
    if not expression.startswith("__array("):
        tests.array(expression, shape)
    return f"{expression}.reshape({group.shape})"


def _is_simple(signature: inspect.Signature) -> bool:
    """Has a function only parameters that can be tested one by one?"""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = signature.parameters
    return all(
        p.kind not in several and not name.startswith("__") for name, p in parameters.items()
    )


def _call_text(
    parameters: Mapping[str, inspect.Parameter], tests: PlainTests, unpack: Sequence[str]
) -> str:
    by_name = inspect.Parameter.KEYWORD_ONLY
    before = [name for name, p in parameters.items() if p.kind is not by_name]
    after = [name for name, p in parameters.items() if p.kind is by_name]
    head = [f"{name}=__absent" for name in before]
    head += ["*__rest", *(f"{name}=__absent" for name in after), "**__others"]
    conditions = [*tests.conditions, "not __rest", "not __others"]
    given = [*before, "*__rest", *(f"{name}={name}" for name in after), "**__others"]
    return "\n".join(
        [
            f"def call({', '.join(head)}):",
            "    try:",
            f"        if {' and '.join(conditions)}:",
            *(f"            {line}" for line in unpack),
            "    except __TypeError:",
            "        pass",
            f"    return __general({', '.join(given)})",
        ]
    )


def _made(text: str, tests: PlainTests, machines: Machines, general: Call, name: str) -> Call:
    by_name = {"__machine": machines.run, "__of_few": machines.of_few, "__general": general}
    names = {**tests.globals, **by_name}
    exec(compile(text, f"<call of {name}>", "exec"), names)  # our own text, and names of arguments
    call: Call = names["call"]
    call.__name__ = call.__qualname__ = name
    return call


def without_absent(signature: inspect.Signature, general: Call) -> Call:
    """Make the call that a written one hands over to last: with what is absent left out.

    Args:
        signature: of the user's function.
        general: takes any arguments of it.
    """
    parameters = signature.parameters.items()
    names = [name for name, p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]

    def call(*args: Any, **kwargs: Any) -> Any:
        """Give the arguments as they were given: a default stands for what was not."""
        before, rest = args[: len(names)], args[len(names) :]
        count = next((k for k, x in enumerate(before) if x is ABSENT), len(before))
        others = {**dict(zip(names[count:], before[count:], strict=True)), **kwargs}
        given = {name: x for name, x in others.items() if x is not ABSENT}
        return general(*before[:count], *rest, **given)

    return call
