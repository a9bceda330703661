"""Lists the licences of the packages that `pip install moglow[all]` installs, and fails if one is not allowed.

`python scripts/licences.py` reads the metadata of the installed packages. It exits with code 1 if a package states no
licence, or one that is not in `ALLOWED`: read its licence, then add it here.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

EXTRAS = ("view", "train")
ALLOWED = {
    *(
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "CC0-1.0",
        "HPND",
        "ISC",
        "MIT",
        "MIT-CMU",
    ),
    *("MPL-2.0", "PSF-2.0", "Zlib"),
}
NAMES = {
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""SPDX identifiers of classifiers and of free text."""
STATED_ELSEWHERE = {"bvh": "MIT"}
"""Licences of packages without one in their metadata, from the LICENSE file of their repository."""
NOTES = {
    "imageio-ffmpeg": "its wheel contains the program ffmpeg, GPL-3.0, which moglow runs and does not link"
}


@dataclass(frozen=True)
class PackageLicence:
    """A package, its version, and the licence that it states."""

    name: str
    version: str
    licence: str

    @property
    def suits(self) -> bool:
        return allowed(self.licence)


def main() -> int:
    """Prints the list and returns the exit code."""
    rows = sorted(installed("moglow", EXTRAS), key=lambda row: row.name)
    width = max(len(row.name) for row in rows)
    for row in rows:
        note = f"  ({NOTES[row.name]})" if row.name in NOTES else ""
        print(f"{row.name:{width}}  {row.version:14}  {row.licence or 'none stated'}{note}")
    wrong = [row for row in rows if not row.suits]
    for row in wrong:
        print(
            f"licences: {row.name} {row.version}: {row.licence or 'no licence'} is not in ALLOWED of {__file__}; "
            "read its licence, then add it",
            file=sys.stderr,
        )
    return 1 if wrong else 0


def installed(name: str, extras: tuple[str, ...] = ()) -> Iterator[PackageLicence]:
    """Yields the installed requirements of a package with some extras, and the requirements of these, recursively."""
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    listed = {canonicalize_name(name)}
    while waiting:
        package, extra = waiting.pop()
        key = canonicalize_name(package), extra
        if key in seen:
            continue
        seen.add(key)
        try:
            found = distribution(package)
        except PackageNotFoundError:
            continue
        if key[0] not in listed:
            listed.add(key[0])
            yield PackageLicence(key[0], found.version, licence_of(found))
        for requirement in map(Requirement, found.requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                waiting += [(requirement.name, each) for each in ("", *requirement.extras)]


def licence_of(found: Distribution) -> str:
    """Returns the SPDX expression of a package's licence, or the text of its metadata if SPDX has none."""
    stated = found.metadata
    if "License-Expression" in stated:
        return stated["License-Expression"]
    classifiers = [
        each.rpartition("::")[2].strip()
        for each in stated.get_all("Classifier") or ()
        if each.startswith("License ::") and not each.endswith("OSI Approved")
    ]
    (text,) = (stated.get_all("License") or [""])[:1]
    words = classifiers or [text.strip().partition("\n")[0]]
    named = sorted({NAMES.get(each, each) for each in words if each})
    return " AND ".join(named) or STATED_ELSEWHERE.get(canonicalize_name(stated["Name"]), "")


def allowed(expression: str) -> bool:
    """Returns whether a licence is allowed: every part of an AND, and one part of an OR.

    >>> allowed("Apache-2.0 WITH LLVM-exception AND (GPL-3.0-only OR MIT)"), allowed("MIT AND GPL-3.0-only")
    (True, False)
    """
    parts = [re.split(r"\bOR\b", part) for part in re.split(r"\bAND\b", re.sub(r"[()]", " ", expression))]
    return all(any(each.partition(" WITH ")[0].strip() in ALLOWED for each in part) for part in parts)


if __name__ == "__main__":
    sys.exit(main())
