"""The times of peers, gradcompile's being 1: one line a work, one dot a peer."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PEERS = {
    "gradcompile, .dispatcher": ("black", "|"),
    "jax.jit": ("#1f77b4", "o"),
    "torch": ("#d95f02", "s"),
    "torch.compile": ("#e6a66b", "D"),
    "CasADi": ("#b58fc7", "v"),
    "CasADi, C": ("#6a3d9a", "^"),
    "numpy": ("#4d9221", "P"),
    "numba": ("#a1662f", "X"),
    "micrograd": ("#555555", "h"),
}
"""Colours that are told apart by most people, and marks for all."""


def picture(races: Mapping[str, Mapping[str, Any]], path: Path) -> Path | None:
    """Draw the figures of one core; nothing where there is no matplotlib."""
    if not races or find_spec("matplotlib") is None:
        return None
    import matplotlib as mpl

    mpl.use("svg")
    import matplotlib.pyplot as plt

    # The same figures make the same file: no date, no random names.
    with mpl.rc_context({"svg.hashsalt": "gradcompile", "font.size": 9}):
        figure, axes = plt.subplots(figsize=(8.5, 1.2 + 0.36 * len(races)), layout="constrained")
        for line, found in enumerate(races.values()):
            for peer, times in best(found).items():
                colour, mark = PEERS[peer]
                axes.plot(times, -line, mark, color=colour, markersize=7, mec=edge(mark))
        axes.axvline(1.0, color="black", linewidth=1.2)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda times, _: f"{times:,g} ×")
        axes.set_yticks([-k for k in range(len(races))], [one["title"] for one in races.values()])
        axes.set_ylim(-len(races) + 0.4, 0.6)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.set_xlabel("time of a step on one core, gradcompile's being 1; to the right is slower")
        handles = [
            axes.plot([], [], mark, color=colour, label=peer, mec=edge(mark), markersize=7)[0]
            for peer, (colour, mark) in PEERS.items()
        ]
        figure.legend(handles=handles, loc="outside upper center", ncols=5, frameon=False,
                      handletextpad=0.1, columnspacing=1.0)  # fmt: skip
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
    return path


def edge(mark: str) -> str:
    """Dots that overlap are told apart by their edges; a line is nothing but edge."""
    return "black" if mark == "|" else "white"


def best(found: Mapping[str, Any]) -> dict[str, float]:
    """How many times ours is each peer's time, by the fastest way it is written."""
    times: dict[str, float] = {}
    for name, ratio in found["ratios"].items():
        peer = name if name in PEERS else name.rpartition(", ")[0]
        if peer in PEERS:
            times[peer] = min(times.get(peer, float("inf")), 1 / ratio)
    return times
