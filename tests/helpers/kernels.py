"""What every kernel of one function gives, as vectors and matrices, and whether they agree.

Results are taken apart here by themselves: by the structure of what went in, not by what the
package says of its results.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

import numpy as np

from tests.helpers.flat import by_text

Call = Callable[[Any, Sequence[Any], Mapping[str, Any], Any], Any]
"""Calls a kernel with arguments, and a direction or None."""


def leaves(structure: Any) -> Iterator[Any]:
    """The numbers and arrays of something nested, in order; what is neither is left out."""
    if isinstance(structure, dict):
        structure = list(structure.values())
    elif is_dataclass(structure):
        structure = [getattr(structure, field.name) for field in fields(structure)]
    if isinstance(structure, list | tuple):
        for part in structure:
            yield from leaves(part)
    elif isinstance(structure, float | int | np.ndarray | np.generic):
        yield structure


def vector(structure: Any) -> Any:
    """All numbers of something nested, as one array."""
    return np.concatenate([np.ravel(x) for x in leaves(structure)] or [np.empty(0)])


def matrix(found: Any, outer: Any, inner: Any) -> Any:
    """A structure over another one as a matrix; each leaf must have the shape of both.

    Args:
        found: the Jacobian or the Hessian.
        outer: the value, or the gradient.
        inner: what is differentiated by.
    """
    if isinstance(outer, float | int | np.ndarray | np.generic):
        size, blocks = np.size(outer), list(leaves(found))
        by = list(leaves(inner))
        assert [np.shape(x) for x in blocks] == [(*np.shape(outer), *np.shape(x)) for x in by]
        return np.hstack([np.reshape(x, (size, -1)) for x in blocks])
    if is_dataclass(outer):
        names = [field.name for field in fields(outer)]
        outer, found = ([getattr(x, name) for name in names] for x in (outer, found))
    if isinstance(outer, dict):
        assert list(found) == list(outer)
        outer, found = list(outer.values()), list(found.values())
    if not isinstance(outer, list | tuple):
        return np.empty((0, len(vector(inner))))
    assert isinstance(found, type(outer))
    parts = [matrix(x, part, inner) for x, part in zip(found, outer, strict=True)]
    return np.vstack([part for part in parts if part.size] or parts[:1])


def by_machine(kernel: Any, args: Sequence[Any], kwargs: Mapping[str, Any], direction: Any) -> Any:
    """Call a kernel as users do."""
    if direction is None:
        return kernel(*args, **kwargs)
    given = tuple(args) if not kwargs else _named(kernel, args, kwargs)
    return kernel(given, direction)


def _named(kernel: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    bound = kernel._arguments.signature.bind(*args, **kwargs)
    return dict(bound.arguments)


@dataclass(frozen=True)
class Derivatives:
    """What the kernels of a function give at a point, as vectors and matrices.

    Attributes:
        value: of the function.
        jacobian: of the value.
        hessian: of the value, or of its sum with weights.
        others: what other kernels give, by their names: each with what it has to be equal to.
    """

    value: Any
    jacobian: Any
    hessian: Any
    others: Mapping[str, tuple[Any, Any]]

    def differing(self, tolerance: float = 1e-10) -> list[str]:
        """Name the kernels that do not agree with the Jacobian and the Hessian."""
        return [
            name
            for name, (found, expected) in self.others.items()
            if not np.allclose(found, expected, tolerance, tolerance, equal_nan=True)
        ]


def derivatives(
    function: Any,
    args: Sequence[Any],
    by: Sequence[Any],
    along: Sequence[Any],
    across: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    call: Call = by_text,
) -> Derivatives:
    """Call every kernel of a function.

    Args:
        function: compiled.
        args: the arguments.
        by: those of them that are differentiated by.
        along: a direction in their structure.
        across: weights in the structure of the value; None where the value is one number.
        kwargs: more arguments.
        call: how a kernel is called.
    """

    def run(kernel: Any, direction: Any = None) -> Any:
        return call(kernel, args, kwargs or {}, direction)

    value = run(function.value)
    is_number = across is None
    weights = 1.0 if is_number else across
    hessian_kernel = function.hessian if is_number else function.hessian.weighted
    three = function.value_grad_and_hessian
    three = three if is_number else three.weighted
    jacobian = matrix(run(function.jacobian), value, by)
    hessian = matrix(run(hessian_kernel, across), by, by)
    gradient = vector(weights) @ jacobian
    others: dict[str, tuple[Any, Any]] = {"symmetry": (hessian, hessian.T)}

    def check(name: str, found: Any, expected: Any) -> None:
        others[name] = (found, expected)

    tangent, product = jacobian @ vector(along), hessian @ vector(along)
    first, second = run(function.jvp, along)
    check("value of jvp", vector(first), vector(value))
    check("jvp", vector(second), tangent)
    first, second = run(function.vjp, weights)
    check("value of vjp", vector(first), vector(value))
    check("vjp", vector(second), gradient)
    first, second = run(function.value_and_jacobian)
    check("value of value_and_jacobian", vector(first), vector(value))
    check("value_and_jacobian", matrix(second, value, by), jacobian)
    check("jacobian.sparse", run(function.jacobian.sparse).toarray(), jacobian)
    first, sparse = run(function.value_and_jacobian.sparse)
    check("value of value_and_jacobian.sparse", vector(first), vector(value))
    check("value_and_jacobian.sparse", sparse.toarray(), jacobian)
    first, second, third = run(three, across)
    check("value of value_grad_and_hessian", vector(first), vector(value))
    check("gradient of value_grad_and_hessian", vector(second), gradient)
    check("value_grad_and_hessian", matrix(third, by, by), hessian)
    sparse = function.value_grad_and_hessian.sparse
    first, second, third = run(sparse if is_number else sparse.weighted, across)
    check("value of value_grad_and_hessian.sparse", vector(first), vector(value))
    check("gradient of value_grad_and_hessian.sparse", vector(second), gradient)
    check("value_grad_and_hessian.sparse", third.toarray(), hessian)
    sparse = function.hessian.sparse
    for triangle, of in (("", lambda x: x), ("lower", np.tril), ("upper", np.triu)):
        kernel = getattr(sparse, triangle) if triangle else sparse
        found = run(kernel if is_number else kernel.weighted, across).toarray()
        check(f"hessian.sparse {triangle}", found, of(hessian))
    if is_number:
        check("grad", vector(run(function.grad)), gradient)
        first, second = run(function.value_and_grad)
        check("value of value_and_grad", vector(first), vector(value))
        check("value_and_grad", vector(second), gradient)
        check("hvp", vector(run(function.hvp, along)), product)
        first, second = run(function.grad_and_hvp, along)
        check("gradient of grad_and_hvp", vector(first), gradient)
        check("grad_and_hvp", vector(second), product)
        check("hessian_diagonal", vector(run(function.hessian_diagonal)), np.diag(hessian))
    return Derivatives(vector(value), jacobian, hessian, others)
