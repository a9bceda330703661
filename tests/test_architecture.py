"""The architecture: packages import downwards, heavy packages are imported only where allowed, files are short."""

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILE = 350  # lines
OPTION = re.compile(r"(^|[\s(`])--[a-z]")

# From the top down: a package imports only packages after it.
PACKAGES = (
    *(
        "__main__",
        "cli",
        "viewer",
        "evaluation",
        "training",
        "blender",
        "server",
        "takes",
        "directing",
        "scoring",
    ),
    "sampling",
    *(
        "checkpoint",
        "weights",
        "corpus",
        "cleaning",
        "encodings",
        "measures",
        "live",
        "formats",
        "bvh",
        "footsteps",
        "ground",
        "paths",
    ),
    *("compute", "workers"),
    *("models", "motion", "recipe", "flows", "anatomy", "files", "maths", "errors"),
)

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
KERNELS = next(
    each["module"]
    for each in SETTINGS["tool"]["mypy"]["overrides"]
    if "disallow_untyped_decorators" in each  # decorators of Triton
)

# External packages, and the modules and packages that may import them anywhere in a file.
BORDERS = {
    "torch": """moglow.evaluation moglow.training moglow.scoring moglow.sampling moglow.checkpoint
        moglow.corpus.window moglow.corpus.windows moglow.corpus.window_order moglow.corpus.misplaced_feet
        moglow.corpus.shifted_feet moglow.corpus.other_bodies moglow.compute moglow.models
        moglow.flows moglow.cli""",
    "bvh": "moglow.bvh.header",
    "click": "moglow.cli",
    "rich": "moglow.cli",
    "pyvista": "moglow_viewer",
    "vtkmodules": "moglow_viewer",
    "PIL": "moglow_viewer",
    "imageio_ffmpeg": "moglow_viewer",
    "bpy": "moglow.blender.inside",
    "moglow_viewer": "moglow_viewer moglow.cli",
    "triton": " ".join(KERNELS),
    "motionmcp": "moglow.server.backbone moglow.cli.actions.serve",
    "uvicorn": "moglow.cli.actions.serve",
    "onnx": "moglow.sampling.onnx_graph moglow.sampling.onnx_nodes",
    "pxr": "moglow.formats.usd_motion moglow.formats.usd",
    "anywidget": "moglow_viewer.notebook",
    "distributed": "moglow.workers.cluster",
    "dask": "moglow.workers.cluster",
    "safetensors": "",
}

# From a checkpoint and a path to a file with numpy alone, so that it runs inside Blender and starts fast.
GENERATING = """motion.foot_lock paths.control_path paths.csv_files motion.retarget bvh.write encodings.encoding
    corpus.normalizer corpus.context sampling.sampler sampling.generate sampling.loops formats.export takes.single
    takes.cycle_set"""
HEAVY = {"torch", "scipy", "bvh", "pyvista", "click", "rich"}


def modules() -> dict[str, Path]:
    packages = (ROOT / "moglow", ROOT / "viewer" / "moglow_viewer")
    files = [(package.parent, file) for package in packages for file in sorted(package.rglob("*.py"))]
    named = {
        ".".join(file.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): file
        for base, file in files
    }
    return {name: file for name, file in named.items() if name != "moglow"}


SOURCES = modules()
every_module = pytest.mark.parametrize("module", SOURCES)


def package(module: str) -> str:
    return "viewer" if module.startswith("moglow_viewer") else module.split(".")[1]


@cache
def imports(file: Path) -> set[str]:
    """Returns the full names that a file imports, anywhere in it; `from a import b` counts as a and as a.b."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}:{node.lineno}: imports are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_the_list_holds_every_package() -> None:
    assert sorted(PACKAGES) == sorted({package(module) for module in SOURCES})


@every_module
def test_packages_import_downwards(module: str) -> None:
    inside = module.startswith("moglow.blender.inside")
    for imported in imports(SOURCES[module]) & set(SOURCES):
        here, there = package(module), package(imported)
        assert PACKAGES.index(here) <= PACKAGES.index(there), (
            f"{module} imports {imported}, which is above it"
        )
        assert inside or not imported.startswith("moglow.blender.inside") or "extension" in module, (
            f"{module} imports {imported}, which only Blender can import"
        )


def test_no_modules_import_each_other_in_a_circle() -> None:
    packages = {name for name, file in SOURCES.items() if file.name == "__init__.py"}
    graph = {name: (imports(file) & set(SOURCES)) - packages - {name} for name, file in SOURCES.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


@every_module
def test_borders_hold(module: str) -> None:
    packages = {name.split(".")[0] for name in imports(SOURCES[module])}
    for outside, allowed in BORDERS.items():
        if outside in packages:
            assert any(module == a or module.startswith(f"{a}.") for a in allowed.split()), (
                f"{module} imports {outside}"
            )


def test_only_notebooks_look_up_a_module_from_below() -> None:
    """`import_module` by name escapes the tests above; clips and takes may use it, for their notebook view."""
    found = {
        (module, node.args[0].value)
        for module, file in SOURCES.items()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
        if node.args and isinstance(node.args[0], ast.Constant)
    }
    assert found <= {
        ("moglow.motion.clip", "moglow_viewer.pages.clip_page"),
        ("moglow.sampling.generate", "moglow_viewer.notebook.take_widget"),
    }


def test_generating_needs_numpy_alone() -> None:
    names = [f"moglow.{name}" for name in GENERATING.split()]
    code = f"import sys, {', '.join(names)}; print(*sorted(set(sys.modules) & {HEAVY}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@every_module
def test_a_file_is_one_short_noun(module: str) -> None:
    text = SOURCES[module].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_FILE
    assert not {"utils", "util", "common", "helpers", "misc"} & set(module.split("."))
    assert ast.get_docstring(ast.parse(text)), "the first line names the content of the file"


@every_module
def test_the_library_neither_prints_nor_exits_nor_seeds(module: str) -> None:
    if module.startswith(("moglow.cli", "moglow.__main__")):
        return
    for node in ast.walk(ast.parse(SOURCES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "input", "exit", "sys.exit", "breakpoint"}, f"line {node.lineno}"
            assert not called.endswith(("random.seed", "torch.manual_seed")), (
                f"line {node.lineno}: a global seed"
            )


@every_module
def test_the_library_names_no_option_of_the_command_line(module: str) -> None:
    if module.startswith(
        ("moglow.cli", "moglow.__main__", "moglow.blender.program")
    ):  # options of other programs
        return
    tree = ast.parse(SOURCES[module].read_text(encoding="utf-8"))
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            assert not OPTION.search(node.value), (
                f"line {node.lineno}: {node.value!r}; give the error a setting"
            )


def test_class_names_are_unique() -> None:
    found: dict[str, str] = {}
    for module, file in SOURCES.items():
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                assert node.name not in found, f"{node.name} in {found[node.name]} and {module}"
                found[node.name] = module
