"""The house keeps its floors: imports point down, borders hold, files stay short. Read from the source with ast."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from moglow.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILE = 350  # lines

# Floor by floor, and in each floor in order: a module imports only what stands before it in this list.
FLOORS = {
    0: "errors heap rotations vocabulary signals schema tensorfile",
    1: "symmetry limbs body anatomy bearings skeleton",
    2: "mirroring clip clip_stream capsules",
    3: """leg_ik contacts feet knees toes canonical posture t_poses levelling retarget
        control following presets control_table control_file control_range steering""",
    4: """bvh_columns bvh_numbers bvh_header bvh_frames bvh_portable bvh_read bvh_write bvh_patch
        metrics likeness tally ranking faults limb_faults tempo cleaning joint_limits damage limb_damage mending inspection
        normalizer encodings encodings.quat_matrices encodings.curves encodings.reduction encodings.chart
        encodings.rotation
        encodings.position encodings.legs encodings.leg_solver encodings.feet_first encodings.encoding""",
    5: "sources trimming corpus summary preprocessing recipe",
    6: "context window_order window_spec windows",
    7: """flows flows.bijection flows.scales flows.bases flows.actnorm flows.linear flows.triangular
        flows.permutation flows.orthogonal flows.recurrence flows.nets flows.coupling flows.masked_coupling flows.made
        flows.autoregressive flows.squeeze flows.split flows.parameters flows.roots flows.planar flows.radial
        flows.glow flows.stages flows.stage_kernels
        flows.fused_stages flows.diagonal flows.schedules""",
    8: """models.model models.flow models.reader models.moglow models.planar models.radial models.realnvp
        models.maf models.flowgmm models.windowed models.glow models.vae models.gan models.regression
        models.autoencoder models.undercomplete models.overcomplete models.denoising models.sparse_l1 models.sparse_kl
        models""",
    9: """gathering captured rollout outliers classification spread validation health
        training_spec training checkpoint training_run device processes card""",
    10: """folded numpy_moglow int16 torch_steps fused_kernels fused_cells fused arithmetics
        row_by_row endings setting_off sampling trials library ensemble""",
    11: """glb export real generation looping bench blender_program blender_scene
        scores differences likelihoods classifier infill surprise comparison wandering findings scene evaluation""",
    12: """cli cli.reports cli.training_corpus cli.training_sheets cli.training_screen cli.jobs cli.sidecars cli.takes
        cli.cleanings cli.looking cli.scenes cli.evaluations cli.main __main__""",
}
VIEWER = """figures motion single_page page packed_model play_page palette camera scene strips lettering shadow graphics
    meshes figure floor marks stage reels film sheet player viewing overlay dashboard window
    charts film_strip standings tables curves report gamepad live recording play_window"""
BLENDER = """axes rig action body stage render files build scene
    curve_path making settings placing operators panel addon"""  # runs inside Blender; only scripts look at it
MODULES = [f"moglow.{name}" for floor in range(12) for name in FLOORS[floor].split()]
MODULES += ["moglow_viewer", *(f"moglow_viewer.{name}" for name in VIEWER.split())]  # only commands import it
MODULES += ["moglow_blender", *(f"moglow_blender.{name}" for name in BLENDER.split())]
MODULES += [f"moglow.{name}" for name in FLOORS[12].split()]
TOP = set(COMMANDS.values())  # every command is on the top floor and imports no other

# Packages that only some modules may import, wherever in the file.
BORDERS = {
    "torch": {f"moglow.{name}" for floor in (6, 7, 8, 9, 10, 11) for name in FLOORS[floor].split()}
    | {"moglow.cli"},
    "bvh": {"moglow.bvh_header"},
    "click": {"moglow.cli"},
    "rich": {"moglow.cli"},
    "pyvista": {"moglow_viewer"},
    "vtkmodules": {"moglow_viewer"},
    "PIL": {"moglow_viewer"},
    "imageio_ffmpeg": {"moglow_viewer"},
    "bpy": {"moglow_blender"},
    "moglow_blender": {"moglow_blender"},
    "moglow_viewer": {"moglow_viewer", "moglow.cli"},
    "triton": {
        f"moglow.{name}"
        for name in ("fused_kernels", "fused_cells", "flows.stage_kernels", "flows.fused_stages")
    },
    "safetensors": set[str](),
}

# From a checkpoint and a control to a file: numpy alone, so that it runs inside Blender and starts at once.
GENERATING = """feet control control_file retarget bvh_write encodings.encoding normalizer context
    sampling generation looping export"""
HEAVY = {"torch", "scipy", "bvh", "pyvista", "click", "rich"}


def modules() -> dict[str, Path]:
    packages = (ROOT / "moglow", ROOT / "viewer" / "moglow_viewer", ROOT / "viewer" / "moglow_blender")
    files = [(package.parent, file) for package in packages for file in sorted(package.rglob("*.py"))]
    named = {
        ".".join(file.relative_to(base).with_suffix("").parts).removesuffix(".__init__"): file
        for base, file in files
    }
    return {name: file for name, file in named.items() if name != "moglow"}


SOURCES = modules()
every_module = pytest.mark.parametrize("module", SOURCES)


def imports(file: Path) -> set[str]:
    """What a file imports, by full name, wherever it does so; `from a import b` counts as a and as a.b."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{file}:{node.lineno}: imports are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_the_table_lists_what_there_is() -> None:
    listed = set(MODULES)
    there = set(SOURCES) - TOP
    assert there - listed == set(), "give the new module a place in FLOORS"
    assert listed - there == set(), "FLOORS lists a module that is gone"
    assert len(MODULES) == len(listed)


@every_module
def test_imports_point_down(module: str) -> None:
    place = MODULES.index(module) if module in MODULES else len(MODULES)
    for imported in imports(SOURCES[module]) & set(SOURCES) - {module}:
        assert imported not in TOP, f"{module} imports the command {imported}"
        assert imported in MODULES, f"give {imported} a place in FLOORS"
        assert MODULES.index(imported) < place, f"{module} imports {imported}, which stands above it"


@every_module
def test_borders_hold(module: str) -> None:
    packages = {name.split(".")[0] for name in imports(SOURCES[module])}
    for package, allowed in BORDERS.items():
        if package in packages:
            assert any(module == a or module.startswith(f"{a}.") for a in allowed), (
                f"{module} imports {package}"
            )


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
    assert ast.get_docstring(ast.parse(text)), "the first line says what the file holds"


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
