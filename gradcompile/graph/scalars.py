"""What numpy's numbers have of arrays: a shape, and reductions that leave them as they are.

So a function that is written for arrays takes one number, or an array of no dimension, too.
"""

from typing import Self


class Scalar:
    """The part of a numpy scalar that needs no arithmetic.

    `item()` is the traced number itself: there is no other.
    """

    __slots__ = ()

    shape: tuple[()] = ()
    ndim = 0
    size = 1

    @property
    def real(self) -> Self:
        """Itself: it is real."""
        return self

    @property
    def T(self) -> Self:  # noqa: N802  # numpy's name
        """Itself: there are no axes to swap."""
        return self

    def item(self) -> Self:
        """Give the number, which stays traced."""
        return self

    def sum(self, axis: int | None = None) -> Self:
        """Give the number: it is alone."""
        return self

    mean = prod = max = min = sum
