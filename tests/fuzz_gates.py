"""Fuzzing of gates as a command: `python -m tests.fuzz_gates --programs N --seed S`.

Draws random programs whose gates block something hostile, and compares the gradient of every engine
with that of the program in which every blocked operand is cut off. Prints every difference as
Python to paste.
"""

import argparse
import sys
import time
import warnings
from functools import partial
from multiprocessing import get_context

from tests.helpers.engines import Tally
from tests.helpers.hostile import fuzz_gates

CHUNK = 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz_gates", description=__doc__)
    parser.add_argument("--programs", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="S")
    parser.add_argument("--first", type=int, default=0, help="the number of the first program")
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--no-machine", action="store_true", help="leave machine code out")
    options = parser.parse_args()
    started = time.perf_counter()
    last = options.first + options.programs
    chunks = [range(k, min(k + CHUNK, last)) for k in range(options.first, last, CHUNK)]
    run = partial(_chunk, seed=options.seed, use_machine=not options.no_machine)
    total = Tally()
    # numba keeps what it compiled for as long as a process lives, so they are replaced.
    with get_context("spawn").Pool(options.jobs, maxtasksperchild=10) as pool:
        for done, tally in enumerate(pool.imap(run, chunks), start=1):
            total += tally
            for difference in tally.differences:
                print(f"\n{difference}", file=sys.stderr)
            print(
                f"\r{min(done * CHUNK, options.programs)} programs, "
                f"{len(total.differences)} differences",
                end="", file=sys.stderr, flush=True,
            )  # fmt: skip
    print(file=sys.stderr)
    print(total)
    print(f"{time.perf_counter() - started:.0f} s")
    return 1 if total.differences else 0


def _chunk(programs: range, seed: int, use_machine: bool) -> Tally:
    # A warning about a number is a defect here, as it is in the tests.
    warnings.simplefilter("error")
    return fuzz_gates(seed, programs, use_machine=use_machine)


if __name__ == "__main__":
    sys.exit(main())
