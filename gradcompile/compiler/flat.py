"""The flat vector that `Kernel.flat` is given, and the arguments beside it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gradcompile.compiler.arguments import Arguments
from gradcompile.support.arrays import FloatArray

if TYPE_CHECKING:
    from gradcompile.compiler.request import Request


def vector_of(x: Any, request: "Request") -> FloatArray:
    """Make the vector of the differentiated inputs that machine code takes."""
    vector = np.require(np.ascontiguousarray(x, dtype=np.float64), requirements="A")
    shape = (len(request.slots),)
    if vector.shape != shape:
        raise ValueError(f"flat: expected a vector of shape {shape}, got {vector.shape}")
    return vector


def with_others(
    vector: FloatArray, others: Mapping[str, Any], arguments: Arguments, request: "Request"
) -> FloatArray:
    """Join the vector and the arguments that are not differentiated by to the flat inputs."""
    batched, expected = arguments.options.batched, request.traced.arguments
    needed = [name for name in expected if name not in request.wrt and name not in batched]
    if sorted(others) != sorted(needed):
        raise TypeError(f"flat: expected the arguments {needed}, got {list(others)}")
    leaves: list[float] = []
    for name in needed:
        leaves.extend(arguments.leaves(name, others[name], expected[name]))
    inputs = np.empty(request.traced.lowered.given)
    rest = np.ones(len(inputs), bool)
    rest[request.slots] = False
    inputs[request.slots], inputs[rest] = vector, leaves
    return inputs
