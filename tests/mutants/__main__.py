"""The command: puts faults in, runs tests, and says which faults no test has found."""

import argparse
import json
import math
import multiprocessing
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from tests.mutants.faults import Fault, chosen, faults_of_tree
from tests.mutants.report import SURVIVORS, reason_of, reasons, summary, unexplained
from tests.mutants.runs import Outcome, killers_of, outcome, without_faults

ROOT = Path(__file__).parents[2]


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    command = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    command.add_argument("--count", type=int, default=300, help="how many faults")
    command.add_argument("--seed", type=int, default=1, help="which ones")
    command.add_argument(
        "--files", default="*", metavar="GLOB", help="only in these, such as gradcompile/roll/*"
    )
    command.add_argument("--jobs", type=int, default=1, help="how many at a time")
    command.add_argument(
        "--log", type=Path, metavar="FILE", help="keep outcomes, and go on where they end"
    )
    command.add_argument(
        "--narrow", action="store_true", help="run the file's own tests and the quickest only"
    )
    command.add_argument(
        "--limit",
        type=float,
        default=math.inf,
        metavar="SECONDS",
        help="stop a fault's tests after so much of the processor's time; it has survived",
    )
    command.add_argument("--list", action="store_true", help="show the faults, and run nothing")
    return command


def logged(log: Path | None) -> list[Outcome]:
    """The outcomes that a log holds."""
    if log is None or not log.exists():
        return []
    return [Outcome(**json.loads(line)) for line in log.read_text(encoding="utf-8").splitlines()]


def run(
    faults: Sequence[Fault], jobs: int, is_narrow: Callable[[str], bool], limit: float
) -> Iterator[Outcome]:
    """The outcomes of faults as they come."""
    with _pool(jobs) as pool:
        waiting = [pool.submit(outcome, fault, is_narrow(fault.key), limit) for fault in faults]
        try:
            for future in as_completed(waiting):
                yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))


def failed_without(outcomes: Sequence[Outcome]) -> str:
    """Run what has killed faults without them: the first test that fails all the same, or ""."""
    with _pool(1) as pool:
        return pool.submit(without_faults, killers_of(outcomes)).result()


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 1 if a fault survives without a reason, or a test fails without one."""
    options = parser().parse_args(argv)
    faults = chosen(faults_of_tree(ROOT, options.files), options.count, options.seed)
    if options.list:
        for fault in faults:
            print(f"{fault.kind:10}  line {fault.line:3}  {fault.key}")
        return 0
    reasons_known = reasons(SURVIVORS.read_text(encoding="utf-8"))

    def is_narrow(key: str) -> bool:
        """Is a first look enough? It is for a fault of which it is known why it survives."""
        return options.narrow or bool(reason_of(key, reasons_known))

    known = {
        (done.key, done.line, done.digest): done
        for done in logged(options.log)
        if done.killed_by or done.narrow <= is_narrow(done.key)  # others may still kill it
    }
    places = [(fault.key, fault.line, fault.digest) for fault in faults]
    outcomes = [known[place] for place in places if place in known]
    left = [f for f, place in zip(faults, places, strict=True) if place not in known]
    for done in run(left, options.jobs, is_narrow, options.limit):
        outcomes.append(done)
        said = f"killed by {done.killed_by}" if done.killed_by else "SURVIVED"
        print(
            f"[{len(outcomes)}/{len(faults)}] {done.seconds:6.1f} s  {done.key}  {said}", flush=True
        )
        if options.log is not None:
            with options.log.open("a", encoding="utf-8") as file:
                print(json.dumps(done.as_dict()), file=file)
    print()
    print(*summary(outcomes, reasons_known), sep="\n")
    failed = failed_without(outcomes)
    if failed:
        print(f"it kills nothing, for it fails without a fault: {failed}")
    return 1 if failed or unexplained(outcomes, reasons_known) else 0


if __name__ == "__main__":
    sys.exit(main())
