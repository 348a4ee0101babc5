"""Plans: how a kernel is called with arguments of one structure, and what the user gets."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import numpy as np

from gradcompile.compiler import arguments
from gradcompile.compiler.calls import Call, Called, without_absent, written_call, written_unpack
from gradcompile.compiler.conversion import travel_alike
from gradcompile.compiler.machine_code import Machines
from gradcompile.compiler.matrices import gradient_structure, over
from gradcompile.compiler.request import Request
from gradcompile.compiler.results import gradient_type
from gradcompile.compiler.unpacking import Returned, ReturnedPart
from gradcompile.graph.nested import NUMBER, Structure
from gradcompile.ir.signature import Bundle
from gradcompile.support.arrays import AnyArray


@dataclass(frozen=True)
class Plan:
    """How a kernel is called with arguments of one structure.

    Attributes:
        called: the arguments, and what the user gets.
        run: machine code, of the groups of the arguments.
        unpack: puts what it returns into the user's form.
        is_plain: are the arguments taken as they are given, with none converted by its parts?
    """

    called: Called
    run: Callable[..., Any]
    unpack: Callable[[Any], Any]
    is_plain: bool

    def __call__(self, given: Mapping[str, Sequence[Any]]) -> Any:
        """Call machine code with what each argument is made of; give the user's form."""
        return self.unpack(self.run(*self.arguments(given)))

    def arguments(self, given: Mapping[str, Sequence[Any]]) -> list[Any]:
        """List the bundles that machine code takes, of what each argument is made of."""
        made = chain.from_iterable([given[name] for name in self.called.data])
        return arrange(self.called.returned.signature.parameters, made)

    def written(self, machines: Machines, before: Call | None, any_call: Call) -> Call | None:
        """Write the call that takes these arguments without a detour; None if there is none.

        Args:
            machines: take what `run` does.
            before: another written call, which takes those that this one does not; None without.
            any_call: takes what none does.
        """
        if not self.is_plain:
            return None
        general = before or without_absent(self.called.signature, any_call)
        return written_call(self.called, machines, general)


def flat_inputs(request: Request, given: Mapping[str, Sequence[Any]]) -> AnyArray:
    """Join what each argument is made of to the flat inputs of the program."""
    made = chain.from_iterable([given[name] for name in request.parameters])
    return request.signature.inputs(arrange(request.signature.parameters, made))


def arrange(groups: Sequence[Bundle], made: Iterable[Any]) -> list[Any]:
    """List one thing a bundle of what the arguments are made of, one after the other."""
    supply = iter(made)
    return [_group(group, supply) for group in groups]


def _group(group: Bundle, supply: Iterable[Any]) -> Any:
    if group.is_merged:
        return np.array(list(islice(supply, group.size)), np.float64)
    (made,) = islice(supply, 1)
    return made


def plan(
    request: Request,
    signature: inspect.Signature,
    call: arguments.Call,
    name: str,
    run: Callable[..., Any],
    wrap: Callable[[Any], Any] | None = None,
) -> Plan:
    """Make the plan of a kernel for arguments of these structures.

    Args:
        request: what was built.
        signature: of the user's function.
        call: one with such arguments.
        name: of the kernel, for messages.
        run: machine code, of the groups of the arguments.
        wrap: what is made of the last part of the result; None if it is given as it is.
    """
    structures, expected = call.structures, request.traced.arguments
    returned = Returned(request.signature, list(returned_parts(request, structures)), wrap)
    batched = request.options.batched
    called = Called(
        name, signature, request.parameters, structures, call.statics, batched, returned
    )
    is_plain = all(travel_alike(structures[field], expected[field]) for field in expected)
    return Plan(called, run, written_unpack(returned), is_plain)


def returned_parts(request: Request, given: Mapping[str, Structure]) -> Iterator[ReturnedPart]:
    """List what the user gets: gradients in the form of the arguments that were given."""
    kind, result, expected = request.kind, request.traced.result, request.traced.arguments
    by = {name: expected[name] for name in request.wrt}
    fields = gradient_type(request.wrt) if kind.differentiates else None
    if kind.keeps_value:
        yield ReturnedPart([result], [result])
    like_arguments = ReturnedPart([given[name] for name in by], list(by.values()), fields)
    if kind.has_gradient:
        yield like_arguments
    if request.nonzeros is not None:
        values = Structure("array", (len(request.nonzeros[0]),))
        yield ReturnedPart([values], [values])
    elif kind.derivative == "tangent":
        yield ReturnedPart([result], [result])
    elif kind.derivative in ("product", "diagonal"):
        yield like_arguments
    elif kind.derivative == "jacobian" and result == NUMBER:
        rows = [over(NUMBER, part) for part in by.values()]
        yield ReturnedPart(rows, rows, fields)
    elif kind.derivative:
        inner = gradient_structure(by)
        whole = over(result if kind.derivative == "jacobian" else inner, inner)
        yield ReturnedPart([whole], [whole])
