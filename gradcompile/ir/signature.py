"""Signatures: what an emitted function takes and returns, as bundles of a program's flat values.

    signature  ::=  bundle* -> value: bundle*  gradient: bundle*
    bundle     ::=  name                  one number
                 |  name[extent, ...]     numbers that lie side by side, as an array
                 |  rows of either        for a batched function: one for each row of data

A program has a flat list of inputs and flat outputs; a function has the arguments that a person
wrote. A bundle is a stretch of the flat list that travels as one argument, or as one result.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from gradcompile.ir.program import ADJOINT, Program
from gradcompile.support.arrays import AnyArray
from gradcompile.support.names import Names

MAX_NUMBERS = 16
"""So many numbers are at most passed one by one: each costs numba about 25 ns a call."""


def adjoint_name(name: str, suffix: str = ADJOINT) -> str:
    """Name the adjoint of what has a name, or a derivative with another suffix.

    >>> adjoint_name("x"), adjoint_name("lambda_"), adjoint_name("x", "_dot")
    ('x_bar', 'lambda_bar', 'x_dot')
    """
    return f"{name.rstrip('_')}{suffix}"


@dataclass(frozen=True)
class Bundle:
    """Some of the flat values of a program, which travel together.

    Attributes:
        name: an identifier.
        shape: of the array; None for a single number.
        start: the number of the first of them among the flat values.
        is_row: is there one for each row of a batch?
        is_merged: are they numbers of several arguments, one array only because they are many?
        labels: what the user calls the numbers in an array; "" for one without a name, and nothing
            if none has one.
    """

    name: str
    shape: tuple[int, ...] | None
    start: int
    is_row: bool = False
    is_merged: bool = False
    labels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """How many numbers it holds; in each row, if it has rows."""
        return 1 if self.shape is None else prod(self.shape)

    @property
    def stop(self) -> int:
        """The number of the first value behind it."""
        return self.start + self.size

    def element(self, number: int) -> tuple[int, ...]:
        """The subscripts of one of the numbers in the array."""
        subscripts = []
        for extent in reversed(self.shape or ()):
            number, subscript = divmod(number, extent)
            subscripts.append(subscript)
        return tuple(reversed(subscripts))

    def text(self, number: int) -> str:
        """What one of the numbers is in the text: the bundle itself, or an element of it."""
        if self.shape is None:
            return self.name
        return f"{self.name}[{', '.join(map(str, self.element(number)))}]"

    def read(self, flat: AnyArray) -> Any:
        """Take the bundle out of all flat values: a number, or a view of its shape."""
        if self.shape is None:
            return flat[self.start]
        return flat[self.start : self.stop].reshape(self.shape)


@dataclass(frozen=True)
class Signature:
    """What an emitted function takes and returns.

    Attributes:
        parameters: its arguments, which together hold the program's inputs, in order.
        value: what it returns as the value; nothing for a gradient alone.
        gradient: what it returns as the gradient; None if it does not differentiate.
    """

    parameters: tuple[Bundle, ...]
    value: tuple[Bundle, ...]
    gradient: tuple[Bundle, ...] | None = None

    @property
    def results(self) -> tuple[Bundle, ...]:
        """Everything that it returns, in the order of the program's outputs."""
        return (*self.value, *(self.gradient or ()))

    def of_one_row(self, data: int = 0) -> "Signature":
        """The signature of the program of one row, which takes the captured data as well."""

        def alone(groups: tuple[Bundle, ...]) -> tuple[Bundle, ...]:
            return tuple(replace(group, is_row=False) for group in groups)

        start = max((group.stop for group in self.parameters), default=0)
        name = Names(frozenset(group.name for group in self.parameters)).fresh("data")
        captured = (Bundle(name, (data,), start),) if data else ()
        gradient = None if self.gradient is None else alone(self.gradient)
        return Signature((*alone(self.parameters), *captured), alone(self.value), gradient)

    def sources(self) -> list[str]:
        """List for each flat input the parameter, or the element of one, that it is in the text."""
        return self._of_inputs(lambda group, k: group.text(k))

    def names(self) -> list[str]:
        """List for each flat input what the user calls it: by its own name, if it has one."""
        return self._of_inputs(lambda group, k: group.labels[k] if group.labels else group.text(k))

    def _of_inputs(self, name: Callable[[Bundle, int], str]) -> list[str]:
        groups = sorted(self.parameters, key=lambda group: group.start)
        return [name(group, k) or group.text(k) for group in groups for k in range(group.size)]

    def arguments(self, flat: AnyArray) -> list[Any]:
        """Make the arguments of a call from the flat values of all parameters without rows.

        Example:
            >>> signature = Signature((Bundle("x", None, 0), Bundle("w", (2,), 1)), ())
            >>> signature.arguments(np.array([1.0, 2.0, 3.0]))
            [np.float64(1.0), array([2., 3.])]
        """
        return [group.read(flat) for group in self.parameters if not group.is_row]

    def inputs(self, arguments: Sequence[Any]) -> AnyArray:
        """Join the arguments of a call, one a parameter without rows, to the flat inputs."""
        given = [group for group in self.parameters if not group.is_row]
        flat = np.empty(sum(group.size for group in given))
        for group, argument in zip(given, arguments, strict=True):
            flat[group.start : group.stop] = np.ravel(argument)
        return flat

    def nest(self, results: Sequence[Any]) -> Any:
        """Put what is returned, one thing a bundle, into the form that the function returns it in.

        Example:
            >>> x = Bundle("x", None, 0)
            >>> Signature((x,), (x,), (x,)).nest([1.0, 2.0])
            (1.0, (2.0,))
            >>> Signature((x,), (x,)).nest([1.0])
            1.0
        """
        value, gradient = tuple(results[: len(self.value)]), tuple(results[len(self.value) :])
        single = value[0] if len(value) == 1 else value
        if self.gradient is None:
            return single
        return (single, gradient) if self.value else gradient

    def flatten(self, returned: Any) -> Iterator[Any]:
        """List what a function returned, one thing a bundle: the inverse of `nest`."""
        if self.gradient is None:
            yield from returned if len(self.value) != 1 else (returned,)
        elif not self.value:
            yield from returned
        else:
            value, gradient = returned
            yield from value if len(self.value) != 1 else (value,)
            yield from gradient


def flat_signature(program: Program) -> Signature:
    """Make the signature of a function on flat arrays: `inputs`, and one array for each tuple.

    Args:
        program: whose last output is the gradient if it is a tuple beside others.
    """
    inputs = Bundle("inputs", (len(program.inputs),), 0)
    results, start = [], 0
    for number, output in enumerate(program.outputs):
        shape = (len(output),) if isinstance(output, tuple) else None
        name = "value" if shape is None else f"values{number or ''}"
        results.append(Bundle(name, shape, start))
        start += results[-1].size
    if len(results) == 2 and results[1].shape is not None:
        return Signature((inputs,), (results[0],), (replace(results[1], name="gradient", start=0),))
    return Signature((inputs,), tuple(results))
