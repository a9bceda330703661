"""Every reader takes time in proportion to its input, and has a limit beyond which it refuses."""

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from moglow.bvh.read import read_bvh
from moglow.cleaning.inspect import inspect_file
from moglow.errors import MoglowError
from moglow.paths.csv_files import read_path

Write = Callable[[int], str]

HEAD = "HIERARCHY\nROOT Hips\n{\nOFFSET 0 0 0\nCHANNELS 1 Yrotation\n}\n"
TAIL = "MOTION\nFrames: 1\nFrame Time: 0.04\n0\n"
CSV = "t,x,z\n0,0,0\n1,0,1\n"

# Texts that grow with a number of lines or words; each was, or could be, quadratic for some way of reading it.
BVH: dict[str, Write] = {
    "blank lines before Frames": lambda n: HEAD + "MOTION\n" + "\n" * n + TAIL.removeprefix("MOTION\n"),
    "blanks before Frames": lambda n: HEAD + "MOTION\n" + " " * n + TAIL.removeprefix("MOTION\n"),
    "blank lines and no Frames": lambda n: HEAD + "MOTION\n" + "\n" * n,
    "blank lines before Frame Time": lambda n: HEAD + TAIL.replace("Frame ", "\n" * n + "Frame "),
    "lines that begin like Frame Time": lambda n: HEAD + "MOTION\n" + "frame time\n" * n,
    "blanks after OFFSET": lambda n: HEAD.replace("OFFSET", "OFFSET" + "\n" * n) + TAIL,
    "many END": lambda n: HEAD.replace("}", "END " * n) + TAIL,
    "many comments": lambda n: "HIERARCHY\n" + "#\n" * n + HEAD.removeprefix("HIERARCHY\n") + TAIL,
    "blank lines at the end": lambda n: HEAD + TAIL + "\n" * n,
    "blank lines among frames": lambda n: HEAD + TAIL.replace("0.04\n", "0.04\n" + "\n" * n),
}
PATHS: dict[str, Write] = {
    "a line of signs": lambda n: "#" * n + "\n" + CSV,
    "lines of comments": lambda n: "#\n" * n + CSV,
    "a comment of fps": lambda n: "# " + "fps " * n + "\n" + CSV,
    "blanks after fps": lambda n: "# fps" + " " * n + "\n" + CSV,
    "blank lines": lambda n: CSV + "\n" * n,
    "blanks": lambda n: CSV.replace("1,0", "1," + " " * n + "0"),
    "columns": lambda n: "x," * n + "\n" + CSV,
    "a long name": lambda n: "x" * n + ",z\n" + CSV,
    "quotes": lambda n: CSV + '"' * n,
    "rows": lambda n: "t,x,z\n" + "".join(f"{k / 1000},0,{k / 1000}\n" for k in range(n // 10)),
}


def skeleton(parents: list[int]) -> str:
    """A BVH file of joints with these parents, each listed after its own."""
    lines, open_ = ["HIERARCHY"], list[int]()
    for joint, parent in enumerate(parents):
        while open_ and open_[-1] != parent:
            open_.pop()
            lines.append("}")
        open_.append(joint)
        kind = "JOINT" if joint else "ROOT"
        lines += [f"{kind} j{joint}", "{", f"OFFSET {joint % 3 - 1} 1 0", "CHANNELS 1 Yrotation"]
    numbers = " ".join(["0"] * len(parents))
    return "\n".join([*lines, *["}"] * len(open_), "MOTION", "Frames: 1", "Frame Time: 0.04", numbers, ""])


FIGURES: dict[str, Write] = {
    "joints in a chain": lambda n: skeleton([k - 1 for k in range(n // 200)]),
    "joints in a comb": lambda n: skeleton([-1, *(k - 1 if k % 2 else k - 2 for k in range(1, n // 200))]),
    "joints at the root": lambda n: skeleton([-1, *[0] * (n // 200)]),
}
READERS: dict[str, tuple[str, Callable[[Path], object], dict[str, Write]]] = {
    "bvh": ("a.bvh", read_bvh, BVH),
    "csv": ("a.csv", read_path, PATHS),
    "figures": ("a.bvh", inspect_file, FIGURES),
}


def seconds(read: Callable[[Path], object], path: Path) -> float:
    """The least processor time of some readings, errors included."""
    found = []
    gc.disable()  # a collection takes longer than a reading in a process that has run many tests
    try:
        for _ in range(5):  # the least of few is not that of the reader on a busy machine
            start = time.process_time()
            try:
                read(path)
            except MoglowError as error:
                assert len(str(error)) < 400 and "\n" not in str(error)
            found.append(time.process_time() - start)
    finally:
        gc.enable()
    return min(found)


@pytest.mark.parametrize(
    ("reader", "text"), [(reader, text) for reader, (*_, texts) in READERS.items() for text in texts]
)
def test_twice_the_input_takes_about_twice_the_time(reader: str, text: str, tmp_path: Path) -> None:
    name, read, texts = READERS[reader]
    path, taken = tmp_path / name, []
    for count in (20_000, 80_000):
        path.write_text(texts[text](count))
        taken.append(seconds(read, path))
    assert taken[1] < 9 * max(taken[0], 2e-3), (
        "four times the input takes 16 times as long if it is quadratic"
    )


@pytest.mark.parametrize(
    "text",
    [
        "# fps: 0.00001\nforward,sideways,turn\n1,0,0\n1,0,0\n1,0,0\n",
        "# fps: 1e9\nforward,sideways,turn\n1,0,0\n1,0,0\n",
        "# fps: 5000\nt,x,z\n0,0,0\n1,0,1\n",
        "t,x,z\n0,0,0\n999999,0,1\n",
        "x,z\n0,0\n0,999999\n",
    ],
)
def test_a_path_of_too_many_frames_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(MoglowError, match=r"at most|expected 1 to 1000"):
        read_path(tmp_path / "a.csv")


def test_motion_is_not_resampled_to_more_than_memory_holds(samples: Path) -> None:
    clip = read_bvh(samples / "walk.bvh")
    with pytest.raises(MoglowError, match="give at most"):
        clip.resample(1e9)
