"""Where compile time went, and what came of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BuildReport:
    """Where compile time went, and what came of it.

    Attributes:
        seconds: by stage, in the order they ran.
        rolled: how many instructions, groups, members, nests and gathers; None for straight-line
            text.
        lines: of the emitted text.
        origin: how its machine code came to be: what translated it, or that it was in the cache.
        rules: what the passes did, one line a rule.
    """

    seconds: dict[str, float]
    rolled: dict[str, int] | None
    lines: int
    origin: str
    rules: tuple[str, ...]

    def __str__(self) -> str:
        total = sum(self.seconds.values())
        rows = [*self.seconds.items(), ("in all", total)]
        times = [f"{name:<12} {seconds:8.3f} s" for name, seconds in rows]
        text = [f"{self.lines} lines of Python, straight-line"]
        if self.rolled is not None:
            r = self.rolled
            text = [
                f"{self.lines} lines of Python in {r['nests']} loop nests",
                f"{r['instructions']} instructions: {r['members']} stored values in "
                f"{r['groups']} groups; {r['gathers']} tables of addresses",
            ]
        machine = f"machine code: {self.origin}"
        return "\n".join([*times, "", *text, machine, *self.rules])
