"""What became of the faults: killed and survived, file by file, and the survivors with a reason."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.mutants.runs import TIME_LIMIT, Outcome

SURVIVORS = Path(__file__).with_name("survivors.md")

ENTRY = re.compile(r"^- `(?P<key>.+)`: (?P<reason>\S.*)$", re.MULTILINE)
"""A survivor: what the fault is, as `Fault.key` says it, and why no test fails. A key that ends in
a star stands for every fault whose key begins so."""


def reasons(text: str) -> dict[str, str]:
    """The reason of each survivor that a text lists."""
    return {entry["key"]: entry["reason"] for entry in ENTRY.finditer(text)}


def reason_of(key: str, known: dict[str, str]) -> str:
    """Why a fault may survive; "" if no reason is known."""
    for entry, reason in known.items():
        if key == entry or (entry.endswith("*") and key.startswith(entry[:-1])):
            return reason
    return ""


def summary(outcomes: Iterable[Outcome], known: dict[str, str]) -> Iterator[str]:
    """The lines of the report."""
    done = list(outcomes)
    by_path: dict[str, list[Outcome]] = {}
    for outcome in done:
        by_path.setdefault(outcome.path, []).append(outcome)
    width = max(map(len, by_path), default=4)
    yield f"{'file':{width}}  faults  killed  survived"
    for path, own in sorted(by_path.items()):
        killed = sum(bool(outcome.killed_by) for outcome in own)
        yield f"{path:{width}}  {len(own):6}  {killed:6}  {len(own) - killed:8}"
    survivors = [outcome for outcome in done if not outcome.killed_by]
    late = sum(outcome.killed_by == TIME_LIMIT for outcome in done)
    share = len(survivors) / max(1, len(done))
    yield ""
    yield f"{len(done)} faults, {len(survivors)} survived ({share:.1%}), {late} ran out of time"
    for outcome in survivors:
        reason = reason_of(outcome.key, known) or "NO REASON IS KNOWN"
        yield f"- `{outcome.key}`: {reason} (line {outcome.line})"


def unexplained(outcomes: Iterable[Outcome], known: dict[str, str]) -> list[Outcome]:
    """The survivors without a reason."""
    return [x for x in outcomes if not x.killed_by and not reason_of(x.key, known)]
