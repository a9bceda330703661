"""`scripts/fuzz`: damaged input for readers and commands, for a time.

Without targets all of them take turns. Exit code 1 means that something failed; it lies in the folder of findings,
with its traceback. The same seed tries the same inputs.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from scripts.fuzzing.options import CommandLines
from scripts.fuzzing.search import Files, Search, little_memory, scratch
from scripts.fuzzing.targets import FILES

OPTIONS = "options"
ROUND = 20
"""Inputs of a target before the next one has its turn."""
SHOWN = 12


def fuzz(
    names: list[str],
    *,
    seed: int,
    folder: Path,
    seconds: float = float("inf"),
    tries: float = float("inf"),
) -> Search:
    """Tries targets in turns for some seconds, or so many inputs of each."""
    deadline = time.monotonic() + seconds
    search = Search(folder, seed)
    done = dict.fromkeys(names, 0)
    turn = 0
    while time.monotonic() < deadline and any(number < tries for number in done.values()):
        for name in names:
            search.seed = seed + 1_000_003 * turn
            left = int(min(ROUND, tries - done[name]))
            with scratch() as place, little_memory():
                subject = CommandLines(place) if name == OPTIONS else Files(FILES[name], place)
                if (
                    not isinstance(subject, Files) or subject.examples
                ):  # else a package for the format is missing
                    search.run(name, subject, _times(left, deadline))
            done[name] += left
        turn += 1
    return search


def _times(left: int, deadline: float) -> Callable[[], bool]:
    numbers = iter(range(left))
    return lambda: next(numbers, None) is not None and time.monotonic() < deadline


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="how long, 60 if not given")
    parser.add_argument("--tries", type=float, default=float("inf"), help="inputs of each target at most")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**6)
    parser.add_argument(
        "--out", type=Path, default=Path("fuzz-findings"), help="the folder of what failed, fuzz-findings"
    )
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"some of {', '.join([*FILES, OPTIONS])}"
    )
    given = parser.parse_args()
    for name in given.targets:
        if name not in (*FILES, OPTIONS):
            parser.error(f"there is no target {name!r}; choose from {', '.join([*FILES, OPTIONS])}")
    search = fuzz(
        given.targets or [*FILES, OPTIONS],
        seed=given.seed,
        folder=given.out,
        seconds=given.seconds,
        tries=given.tries,
    )
    for name in given.targets or [*FILES, OPTIONS]:
        outcomes = {key: n for key, n in search.outcomes.items() if key.startswith(f"{name}: ")}
        failed = sum(n for key, n in outcomes.items() if "FAILURE" in key)
        print(f"{name}: {sum(outcomes.values())} inputs, {failed} failures")
        for key, number in sorted(outcomes.items(), key=lambda pair: -pair[1])[:SHOWN]:
            print(f"{number:8}  {key.removeprefix(f'{name}: ')}")
    for file in search.failures.values():
        print(f"failure: {file}")
    print(f"seed {given.seed}: {search.outcomes.total()} inputs, {len(search.failures)} kinds of failures")
    return 1 if search.failures else 0


if __name__ == "__main__":
    sys.exit(main())
