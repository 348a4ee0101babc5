"""The namedtuple of a gradient."""

from collections import namedtuple
from collections.abc import Sequence
from typing import Any


def gradient_type(wrt: Sequence[str]) -> type[Any]:
    """Make the namedtuple of gradients, one field an argument."""
    # A field may not begin with an underscore; `rename` numbers what cannot be mended.
    fields = [name if name.lstrip("_") in wrt else name.lstrip("_") for name in wrt]
    return namedtuple("Gradient", fields, rename=True)
