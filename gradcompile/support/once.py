"""Results that are made once, on first use, whichever thread comes first."""

from collections.abc import Callable
from threading import RLock
from typing import Any, Generic, Protocol, TypeVar, overload

Result = TypeVar("Result")
Owner = TypeVar("Owner", bound="HasLock")


class HasLock(Protocol):
    """An object whose results are made by one thread at a time."""

    @property
    def lock(self) -> RLock:
        """Held while a result is made."""


class once(Generic[Owner, Result]):  # noqa: N801, as `property`
    """A property that is computed on first use, under the lock of its object.

    Another thread that asks for it meanwhile waits, and gets the same object.

    Example:
        >>> class Circle:
        ...     lock = RLock()
        ...
        ...     @once
        ...     def area(self):
        ...         print("computed")
        ...         return 3.14
        >>> circle = Circle()
        >>> circle.area, circle.area
        computed
        (3.14, 3.14)
    """

    def __init__(self, compute: Callable[[Owner], Result]) -> None:
        self.compute = compute
        self.name = ""
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: Any = None) -> "once[Owner, Result]": ...

    @overload
    def __get__(self, instance: Owner, owner: Any = None) -> Result: ...

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        # Once it is there, attribute lookup finds it in the instance and does not come here.
        with instance.lock:
            made = vars(instance)
            if self.name not in made:
                made[self.name] = self.compute(instance)
            return made[self.name]
