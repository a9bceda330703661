"""`moglow.js` as text: the scripts of the page that is steered, without its drawing and its input, as an ES module.

One mechanism and one set of sources: a page joins whole scripts, the module joins those it needs and exports names.
"""

from pathlib import Path

from moglow import __version__
from moglow.errors import ExportError
from moglow.files.atomic import replacing
from moglow_viewer.pages.single_page import part

SCRIPTS = (
    *("pages/motion.js", "play/model.js", "play/body.js", "play/steering.js", "play/drawn.js"),
    *("module/foot_lock.js", "module/walker.js"),
)
EXPORTS = ("loadModel", "Model", "Walker", "Steering", "RESTING", "walked")
TYPES = "module/moglow.d.ts"


def write_module(path: str | Path) -> tuple[Path, Path]:
    """Writes the module, and its types beside it; returns both files."""
    module = Path(path)
    if module.suffix not in {".js", ".mjs"}:
        raise ExportError(f"{module}: a module ends in .js or .mjs; name it so")
    types = module.with_suffix(".d.mts" if module.suffix == ".mjs" else ".d.ts")
    for file, text in ((module, module_text()), (types, f"{part(TYPES)}\n")):
        with replacing(file) as out:
            out.write(text.encode())
    return module, types


def module_text() -> str:
    """Returns the module; it is the same on every machine."""
    strict = '"use strict";\n'
    scripts = [part(name).removeprefix(strict.strip()).strip() for name in SCRIPTS]
    head = f"// moglow.js {__version__}, MIT licence; written by `moglow export-model moglow.js`."
    names = ", ".join(EXPORTS)
    return "\n\n".join(
        (head, *scripts, f'const version = "{__version__}";\nexport {{ {names}, version }};\n')
    )
