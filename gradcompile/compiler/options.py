"""What is to be compiled, and how: the kinds of kernel, and the options of `compile`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Kind:
    """A kind of kernel: what it computes, in the order in which it returns it.

    Attributes:
        name: of the kernel.
        says: the same for a reader.
        keeps_value: is the value returned?
        has_gradient: is the gradient returned?
        derivative: what else is: "tangent", "jacobian", "hessian", "product" (of the Hessian and
            a vector) or "diagonal" (of the Hessian); "" for nothing.
        entries: which entries of a Jacobian or a Hessian are returned: "full" for the nonzeros,
            "lower" or "upper" for those of a triangle; "" for the whole matrix.
        direction: the argument it takes besides those of the function: "tangents", "cotangents",
            "vector" or "weights"; "" for none.
    """

    name: str
    says: str
    keeps_value: bool = False
    has_gradient: bool = False
    derivative: str = ""
    direction: str = ""
    entries: str = ""

    @property
    def differentiates(self) -> bool:
        """Is anything but the value computed?"""
        return self.has_gradient or bool(self.derivative)

    @property
    def is_second(self) -> bool:
        """Are derivatives of the gradient computed?"""
        return self.derivative in ("hessian", "product", "diagonal")

    @property
    def is_matrix(self) -> bool:
        """Are entries of a Jacobian or a Hessian computed?"""
        return self.derivative in ("jacobian", "hessian")

    @property
    def of_outputs(self) -> bool:
        """Is the direction one in the space of the outputs, and not in that of the arguments?"""
        return self.direction in ("cotangents", "weights")


VALUE = Kind("value", "the value", keeps_value=True)
GRAD = Kind("grad", "the gradient", has_gradient=True)
VALUE_AND_GRAD = Kind(
    "value_and_grad", "the value and the gradient", keeps_value=True, has_gradient=True
)
JVP = Kind(
    "jvp", "the value and its tangent", keeps_value=True,
    derivative="tangent", direction="tangents",
)  # fmt: skip
VJP = Kind(
    "vjp", "the value and the gradient for cotangents of the value", keeps_value=True,
    has_gradient=True, direction="cotangents",
)  # fmt: skip
JACOBIAN = Kind("jacobian", "the Jacobian", derivative="jacobian")
VALUE_AND_JACOBIAN = Kind(
    "value_and_jacobian", "the value and the Jacobian", keeps_value=True, derivative="jacobian"
)
HESSIAN = Kind("hessian", "the Hessian", derivative="hessian")
VALUE_GRAD_AND_HESSIAN = Kind(
    "value_grad_and_hessian", "the value, the gradient and the Hessian", keeps_value=True,
    has_gradient=True, derivative="hessian",
)  # fmt: skip
HVP = Kind("hvp", "the Hessian times a vector", derivative="product", direction="vector")
GRAD_AND_HVP = Kind(
    "grad_and_hvp", "the gradient, and the Hessian times a vector", has_gradient=True,
    derivative="product", direction="vector",
)  # fmt: skip
HESSIAN_DIAGONAL = Kind("hessian_diagonal", "the diagonal of the Hessian", derivative="diagonal")


def nonzeros(kind: Kind, triangle: str = "full") -> Kind:
    """Make the kind that gives the nonzeros of a Jacobian or a Hessian alone."""
    part = "" if triangle == "full" else f"{triangle}_"
    where = "" if triangle == "full" else f" in the {triangle} triangle"
    matrix = f"the {kind.derivative.capitalize()}"
    says = kind.says.replace(matrix, f"the nonzeros of {matrix}{where}")
    return replace(kind, name=f"{kind.name}_{part}values", says=says, entries=triangle)


def weighted(kind: Kind) -> Kind:
    """Make the kind for several outputs: the same of their sum with weights."""
    return replace(kind, says=f"{kind.says} of the weighted sum", direction="weights")


@dataclass(frozen=True)
class Options:
    """What `compile` was asked for; see there."""

    wrt: str | Sequence[str] | None = None
    static: tuple[str, ...] = ()
    cache: bool = True
    check_domain: bool = False
    roll: bool | str = "auto"
    strict: bool = False
    progress: bool = False
    batched: tuple[str, ...] = ()
    reduce: str | None = "mean"
    threads: int = 1
    branches: int = 32
    mode: str | None = None


Wrt = str | Sequence[str] | None
