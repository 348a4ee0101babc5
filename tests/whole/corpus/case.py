"""One function of the corpus, and a call of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """A function as its author wrote it, and the arguments that it is tried on.

    Attributes:
        function: of numbers, arrays and structures of them; it knows nothing of compilers.
        args, kwargs: a call of it, away from kinks; floats are data, everything else is not.
        static: the names of the integers among them.
        refusal: words of the sentence that it is answered with; empty if it works.
    """

    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    static: tuple[str, ...] = ()
    refusal: str = ""

    def __str__(self) -> str:
        return getattr(self.function, "__qualname__", type(self.function).__name__)


def case(
    function: Callable[..., Any],
    *args: Any,
    static: tuple[str, ...] = (),
    refusal: str = "",
    **kwargs: Any,
) -> Case:
    """A row of a table of cases: a function, and the call as one would write it."""
    return Case(function, args, kwargs, static, refusal)
