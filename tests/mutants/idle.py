"""Faults that change nothing, as can be told from the text alone: they are drawn, and passed over.

The bound of a cache, a style of what is printed without one, the order of what is added up, and the
last element of a sequence that has only one.
"""

import re

KEEPERS = r"(?:lru_cache|Recent)(?:\[.*\])?"
"""What keeps results that can be computed again."""

COMMUTATIVE = re.compile(r"builder\.(?:add|mul|and_|or_|xor)\(")
"""Instructions of LLVM whose two operands may be exchanged."""


def is_idle(kind: str, text: str, start: int, before: str, after: str) -> bool:
    """Does a fault change nothing?

    Args:
        kind: the word for what is changed.
        text: the file without the fault.
        start: where the fault begins.
        before: what is replaced.
        after: what takes its place.
    """
    line_start = text.rfind("\n", 0, start) + 1
    head = text[line_start:start]
    if kind == "constant" and re.fullmatch(r"MAX_\w+ = ", head):
        return re.search(rf"{KEEPERS}\({head.split()[0]}\)", text) is not None
    if kind == "constant" and (before, after) == ("0", "-1"):
        return _is_of_one(text, line_start, head)
    if kind == "arguments":
        return COMMUTATIVE.match(before) is not None
    return kind == "keyword" and "highlight=" in before and "highlight=" not in after


def _is_of_one(text: str, line_start: int, head: str) -> bool:
    """Is it an index of what has one element, as this line says, or an `if` on the line before?"""
    indexed = re.search(r"([\w.]+)\[$", head)
    if indexed is None:
        return False
    asked = f"if len({indexed[1]}) == 1"
    line = text[line_start:].split("\n", 1)[0]
    last = text[:line_start].rstrip("\n").rsplit("\n", 1)[-1]
    return asked in line.replace(head, "", 1) or last.strip() == f"{asked}:"
