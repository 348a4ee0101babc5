"""How much memory this machine has, for work that is refused before it starts."""

import math
import os


def present_memory() -> float:
    """Return how many bytes this machine has; inf where nothing tells."""
    if not hasattr(os, "sysconf"):
        return math.inf
    return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
