"""Values of options, most of them wrong: numbers, texts, names of files and what single options take."""

from collections.abc import Mapping

# fmt: off
ODD = "odd [red]\x1b[2J [/b]"
"""A name that a terminal must not obey."""
NUMBERS = (
    "0", "1", "2", "-1", "0.5", "1e9", "1e308", "1e999", "nan", "inf", "-inf", "", " ", "x", "1_0", "²", "٣",
    "99999999999999999999999", "18446744073709551616", "-0", "+3", "0x10", "1,5", "1e-320", "3.7", "1e-9",
)
TEXTS = (
    "", "x", ODD, "../x", "a" * 300, "-", "--", "naïve", "null", "{}", "[", "a=b", "=", "1/0", "0/4", "5/2",
    "1/2",
)
FILES = (
    "walk.bvh", "rig.bvh", "cut.bvh", "empty.bvh", "path.csv", "cut.csv", "waypoints.csv", "steps.csv",
    "pins.csv", "pins.json", "splits.json", "map.toml", "recipe.toml", "cut.toml", "cut.safetensors",
    "model.safetensors", "cut.corpus", "mesh.obj", "map.png", "folder", "emptyfolder", "missing.bvh",
    "pipe.bvh",
    "loop.bvh", "walk.glb", f"{ODD}.bvh", "\udcff.bvh", "nothere/walk.bvh", "walk.bvh#Walk", "walk.glb#x",
    ".", "",
    "walk.bvh/x", "a" * 300 + ".bvh", "walk", "walk.fbx", "walk.usd", "walk.amc", "walk.blend", "image.png",
)
OUTPUTS = (
    "out.bvh", "out.glb", "out.gltf", "out.csv", "out.npz", "out.vrma", "out.fbx", "out.usda", "out.xyz",
    "out",
    "out/", "new/deep/out.bvh", "out.html", "out.json", "out.mp4", "out.gif", "out.png", "out.toml", "-", "",
    "{}.bvh", "out/{}.glb", "walk.bvh", "path.csv", "folder", "walk.bvh/x.bvh", "pipe.bvh", f"{ODD}.bvh", ".",
    "a" * 300 + ".bvh", "out.safetensors", "out.corpus", "out.onnx", ".bvh", "out.BVH", "walk.BVH",
)
CONTROLS = (
    "line:length=0.4", "line:length=0", "line", "circle:r=1e-9", "circle:r=nan", "circle:r=0.05,turns=0.2",
    "squre",
    "stand:seconds=1e308", "stand:seconds=0.4", "stand:seconds=-1", "line:lenght=1", "line:length=x", "line:",
    ":",
    "line:speed=1e9,length=1", "line:speed=0", "stairs", "figure8:r=1e308", "line:length=0.4,length=0.5",
    "1e3",
    "path.csv", "waypoints.csv", "cut.csv", "empty.bvh", "folder", "pipe.bvh", "missing.csv", "walk.bvh", ODD,
)
GROUNDS = (
    "flat", "stairs:rise=0.17,run=0.29,steps=2", "stairs:rise=9", "stairs:steps=x", "slope:angle=80", "slop",
    "rough:height=nan", "map.png", "map.png:size=0", "map.png:size=1e308", "mesh.obj", "mesh.obj:scale=0",
    "cut.bvh",
    "walk.glb", "missing.obj", "stairs:", "stairs:rise", "mesh.obj:x=1e308", "",
)
OTHERS: Mapping[str, tuple[str, ...]] = {
    "controls": CONTROLS,
    "control": CONTROLS,
    "ground": GROUNDS,
    "settings": (
        "training.steps=x", "training.steps=1", "model.name=none", "x", "=", "a.b.c=1", "model=1", "[x]=1",
    ),
    "speeds": ("walk=1.2", "walk=0", "walk=x", "fly=1", "walk", "run=1e308", "walk=nan", "="),
    "pins": ("pins.csv", "pins.json", "cut.csv", "missing.csv", "walk.bvh"),
    "start": (
        "walk.bvh@3", "walk.bvh@x", "walk.bvh", "@", "missing.bvh@1", "walk.bvh@1e9", "walk.bvh@-1", "cut.bvh@0",
    ),
    "size": ("16x16", "²x²", "0x0", "1e9x1", "x", "16", "16x16x16"),
    "frames": ("0:4", "4:0", ":", "x", "1:1e9", "-1:", "0:99999999999999999999", "2"),
    "device": ("auto", "cpu", "cuda", "cuda:9", "gpu", ""),
    "checkpoint": (
        "cut.safetensors", "missing", "walk.bvh", "folder", "emptyfolder", "model.safetensors", "pipe.bvh",
    ),
    "vmc": ("127.0.0.1:9", "x", ":", "127.0.0.1:99999", "host.invalid:9", "127.0.0.1:x", "[::1"),
    "look": ("0:1=0,1,2", "0:1=", "1:0=0,0,0", "x", "0:nan=0,0,0"),
    "reach": ("0.2=left_hand:0,1,0", "x", "0.2=nose:0,0,0", "nan=left_hand:0,1,0", "=:"),
    "pin": ("0.2=walk.bvh@3", "x", "1e9=walk.bvh@1", "0.2=missing.bvh@1", "0.2=walk.bvh@1:nose", "="),
}
OTHERS = {
    **OTHERS,
    "end": OTHERS["start"],
    "follow": OTHERS["start"],
    "osc_in": OTHERS["vmc"],
    "looks": OTHERS["look"],
}
OTHERS = {**OTHERS, "reaches": OTHERS["reach"], "pinned": OTHERS["pin"], "checkpoints": OTHERS["checkpoint"]}
USUAL: Mapping[str, tuple[str, ...]] = {
    "generate": ("--control", "line:length=0.4"),
    "bench": ("--preset", "compact", "--frames", "1", "--batch", "1"),
    "play": ("--html", "out.html"),
    "view": ("--html", "out.html"),
}
"""What is given where nothing else is, so that no command opens a window or works for long."""
WRONG: Mapping[str, tuple[str, ...]] = {
    "cycles": ("--checkpoint", "cut.safetensors"),
    "evaluate": ("--corpus", "cut.corpus"),
    "train": ("--corpus", "cut.corpus"),
    "serve": ("--checkpoint", "cut.safetensors"),
    "blender": ("--blender", "missing"),
    "stream": ("--vmc", "127.0.0.1:x"),
}
"""What is always wrong, of commands that would work for long."""
# fmt: on
