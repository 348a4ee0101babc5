"""The stages of a build, timed, and shown as they pass."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

USUAL_STAGES = 16
"""About how many stages a large build has; the progress bar ends there."""


@dataclass
class Stages:
    """Times stages: `with stages("fold"): ...`.

    Attributes:
        seconds: by stage, added up where it came more than once.
        progress: show a bar.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    progress: bool = False
    _bar: Any = None

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Count the time of a context as that of a stage."""
        self._show(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed
            self._advance(last=name == "numba")

    def _show(self, name: str) -> None:
        if not self.progress:
            return
        if self._bar is None:
            from tqdm.auto import tqdm  # loads on first use

            self._bar = tqdm(total=USUAL_STAGES, bar_format="{desc}|{bar}| {elapsed}", leave=False)
        self._bar.set_description(f"compile: {name:8}")

    def _advance(self, last: bool) -> None:
        if self._bar is None:
            return
        self._bar.update()
        if last:
            self._bar.close()
            self._bar = None
