"""What is to be compiled, and how: the kinds of kernel, and the options of `compile`."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Mode:
    """What a kernel computes: the value, the gradient or both."""

    name: str
    says: str
    differentiates: bool
    keeps_value: bool


VALUE = Mode("value", "the value", differentiates=False, keeps_value=True)
GRAD = Mode("grad", "the gradient", differentiates=True, keeps_value=False)
VALUE_AND_GRAD = Mode(
    "value_and_grad", "the value and the gradient", differentiates=True, keeps_value=True
)


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


Wrt = str | Sequence[str] | None
