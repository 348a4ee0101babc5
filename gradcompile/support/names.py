"""Names for emitted code: a label is data, and becomes a readable, distinct identifier."""

import builtins
import keyword
import re
import unicodedata
from collections.abc import Sequence

MAX_LABEL_LENGTH = 40
"""Characters of a label that are kept in a name."""

RESERVED = frozenset(keyword.kwlist) | frozenset(keyword.softkwlist) | frozenset(dir(builtins))
"""Names that emitted code must not assign."""


def identifier(label: str) -> str:
    """Make an identifier of `label`; "" if nothing of it can be kept.

    >>> identifier("x; import os"), identifier("2nd"), identifier("<b>"), identifier("")
    ('x_import_os', '_2nd', 'b', '')
    """
    text = unicodedata.normalize("NFKC", label[: 4 * MAX_LABEL_LENGTH])
    text = re.sub(r"\W+", "_", text).strip("_")[:MAX_LABEL_LENGTH]
    if not text:
        return ""
    return text if text.isidentifier() else f"_{text}" if f"_{text}".isidentifier() else ""


class Names:
    """Gives out names, each once.

    Attributes:
        reserved: names that mean something else in the text.
        taken: these, and those that are given out.
        claimed: names that are kept for the labels that read so: no number makes them.
    """

    def __init__(
        self, reserved: frozenset[str] = RESERVED, claimed: frozenset[str] = frozenset()
    ) -> None:
        self.reserved = reserved
        self.taken = set(reserved)
        self.claimed = claimed
        self.next_suffix: dict[str, int] = {}

    def fresh(self, label: str, fallback: str = "v") -> str:
        """Give a new name that reads like `label`; numbered if there is none or it is taken."""
        base = identifier(label)
        if base and base not in self.taken:
            self.taken.add(base)
            return base
        if base in self.reserved and f"{base}_" not in self.taken:
            self.taken.add(f"{base}_")
            return f"{base}_"
        return self.numbered(f"{base}_" if base else fallback, 2 if base else 1)

    def numbered(self, stem: str, first: int = 1) -> str:
        """Give a new name: `stem` and the next suffix that is free."""
        suffix = self.next_suffix.get(stem, first)
        while (name := f"{stem}{suffix}") in self.taken or name in self.claimed:
            suffix += 1
        self.next_suffix[stem] = suffix + 1
        self.taken.add(name)
        return name


_INDICES = re.compile(r"(\[.*|\..*|(_\d+)+)$")


def stem(label: str) -> str:
    """Drop from a label what numbers it.

    >>> stem("w1[0][2]"), stem("w1_0_2"), stem("h1")
    ('w1', 'w1', 'h')
    """
    bare = _INDICES.sub("", label)
    return bare if bare != label else label.rstrip("0123456789_")


def common_label(names: Sequence[str]) -> str:
    """Return what labels have in common; "" for nothing.

    >>> common_label(["w1[0][1]", "w1[2][0]"]), common_label(["h1[0]", "h2[0]"])
    ('w1', 'h')
    >>> common_label(["h1", "h1"])
    'h1'
    """
    if len(set(names)) == 1:
        return names[0]
    stems = {stem(name) for name in set(names)}
    if len(stems) > 1:
        stems = {name.rstrip("0123456789_") for name in stems}
    return stems.pop() if len(stems) == 1 else ""
