"""Random motion files, spelled out plainly and independently of the code under test."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from moglow.bvh.header import CHANNELS
from moglow.maths.rotations import Array


@dataclass(frozen=True)
class Figure:
    """A hierarchy and its frames ``(T, C)``, joints in the order of the file."""

    parents: tuple[int, ...]
    offsets: Array
    channels: tuple[tuple[str, ...], ...]
    frames: Array
    frame_time: float

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"joint {j}" for j in range(len(self.parents)))

    def text(self) -> str:
        """The file."""
        rows = "\n".join(" ".join(map(repr, row)) for row in self.frames.tolist())
        head = f"MOTION\nFrames: {len(self.frames)}\nFrame Time: {self.frame_time!r}\n"
        return f"HIERARCHY\n{self._block(0)}{head}{rows}\n"

    def _block(self, joint: int) -> str:
        children = [child for child, parent in enumerate(self.parents) if parent == joint]
        offset = " ".join(map(repr, self.offsets[joint].tolist()))
        channels = " ".join([str(len(self.channels[joint])), *self.channels[joint]])
        inside = "".join(map(self._block, children)) or "End Site\n{\nOFFSET 0 1 0\n}\n"
        keyword = "JOINT" if joint else "ROOT"
        return f"{keyword} {self.names[joint]}\n{{\nOFFSET {offset}\nCHANNELS {channels}\n{inside}}}\n"


def _depth_first(parents: list[int]) -> list[int]:
    """The same tree with its joints numbered in the order of a file."""
    order: list[int] = []
    waiting = [0]
    while waiting:
        order.append(waiting.pop())
        waiting += [child for child, parent in enumerate(parents) if parent == order[-1]][::-1]
    return [order.index(parents[joint]) if joint else -1 for joint in order]


@st.composite
def figures(draw: st.DrawFn) -> Figure:
    """Any tree, any offsets, any subset of the channels in any order, any angles."""
    joints = draw(st.integers(1, 6))
    parents = _depth_first([-1, *(draw(st.integers(0, j - 1)) for j in range(1, joints))])
    subset = st.lists(st.sampled_from(sorted(CHANNELS.values())), unique=True)
    channels = [tuple(draw(subset)) for _ in range(joints)]
    if not any(channels):
        channels[0] = ("Yrotation",)
    numbers = st.floats(-400, 400, allow_subnormal=False).map(lambda x: round(x, 5))
    frames = draw(arrays(float, (draw(st.integers(1, 5)), sum(map(len, channels))), elements=numbers))
    offsets = draw(arrays(float, (joints, 3), elements=numbers))
    frame_time = draw(st.floats(1e-3, 1.0))
    return Figure(tuple(parents), np.array(offsets), tuple(channels), np.array(frames), frame_time)
