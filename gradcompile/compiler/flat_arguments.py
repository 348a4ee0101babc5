"""What a kernel called on one flat vector is given besides it: by name, or by position.

Solvers pass on what they are told by `args=` by position, behind the vector and the direction.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcompile.compiler.arguments import Arguments, told_by
from gradcompile.graph.trace import Traced


def free_names(arguments: Arguments, named: Mapping[str, Any]) -> list[str]:
    """List the arguments that are not differentiated by, and not given by name.

    A default that was left out in the latest call is none of them.
    """
    known = {} if arguments.newest is None else arguments.newest.arguments
    by = [name for name in arguments.wrt if name in known or arguments.newest is None]
    return [
        name
        for name, parameter in arguments.signature.parameters.items()
        if name not in by
        and name not in named
        and (name in known or parameter.default is parameter.empty)
    ]


def placed(
    arguments: Arguments, given: tuple[Any, ...], named: Mapping[str, Any]
) -> dict[str, Any]:
    """Name arguments that are given by position.

    Raises:
        TypeError: they are too many.
    """
    names = free_names(arguments, named)
    if len(given) > len(names):
        expected = f"the arguments {names}" if names else "no second vector"
        got = ", ".join(f"{x!r:.60}" for x in given)
        raise TypeError(f"flat: expected {expected} after x, got {got}")
    return {**named, **dict(zip(names, given, strict=False))}


def told(
    arguments: Arguments, x: Any, named: Mapping[str, Any]
) -> tuple[Traced | None, Mapping[str, Any]]:
    """Tell which program is meant; and the other arguments that are no static ones.

    A function that was not called yet, and is differentiated by one argument, is traced for it as
    a vector; one of a single number may as well be a function of a number.

    Raises:
        TypeError: none was traced for the static ones among the arguments.
    """
    if arguments.newest is None and np.ndim(x) == 1 and len(x) > 1:
        by = [name for name in arguments.wrt if name not in arguments.parameters.statics(named)]
        if len(by) == 1 and by[0] not in named:
            arguments.read((), {by[0]: np.asarray(x), **named})
    return told_by(arguments, named)
