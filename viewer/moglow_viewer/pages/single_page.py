"""Self-contained HTML pages: one file without a server or a network, with a policy that allows only its own scripts.

Needs numpy alone.
"""

import hashlib
import json
import zlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from moglow.errors import ExportError
from moglow.files.atomic import replacing

WORKERS = " 'wasm-unsafe-eval'; worker-src blob:"
"""The part of a page's policy with which a script may make workers and assemble WebAssembly."""


def fill_page(
    template: str,
    *,
    title: str,
    styles: Sequence[str],
    scripts: Sequence[str],
    data: Mapping[str, Any],
    workers: bool = False,
) -> str:
    """Returns a page as text: a template filled with styles and scripts, by file name, and the data for the scripts.

    The policy contains the hashes of style and script, so that a browser runs nothing else; with ``workers`` also
    workers that the script makes of texts, and WebAssembly that it assembles.
    """
    try:
        shown = json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError as error:
        raise ExportError(
            f"{title}: a value of the page is not a finite number; mend what it shows"
        ) from error
    style, script = ("\n".join(part(name) for name in names) for names in (styles, scripts))
    return Template(part(template)).substitute(
        title=escape(title),
        policy=f"default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src '{fingerprint(style)}'; script-src '{fingerprint(script)}'{WORKERS if workers else ''}",
        style=style,
        script=script,
        data=shown.replace("<", "\\u003c"),  # a name may be "</script>"
    )


def save_page(page: str, path: str | Path) -> None:
    """Writes a page atomically."""
    if Path(path).suffix.lower() not in {".html", ".htm"}:
        raise ExportError(f"{path}: a page ends in .html; name it so")
    with replacing(path) as file:
        file.write(page.encode())


def pack_bytes(values: NDArray[Any]) -> str:
    """Returns bytes of any shape, deflated, in base64; `inflate` of `motion.js` unpacks them.

    >>> pack_bytes(np.zeros(3))
    'eNpjYGAAAAADAAE='
    """
    return b64encode(zlib.compress(np.ascontiguousarray(values, "u1").tobytes(), 9)).decode()


def part(name: str) -> str:
    """Returns the text of a part of a page: ``"play/play.js"`` is the file ``play/browser/play.js``.

    >>> part("pages/page.css").splitlines()[0][:1]
    ':'
    """
    package, _, file = name.partition("/")
    return files("moglow_viewer").joinpath(package, "browser", file).read_text("utf-8").strip()


def fingerprint(text: str) -> str:
    """Returns the hash of a style or a script, as in a policy."""
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
