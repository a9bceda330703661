"""Longer and shorter steps: feet farther apart along their way, in the numbers of a pose. Needs numpy alone."""

import numpy as np

from moglow.encodings.chart import PLANTED
from moglow.encodings.encoding import Encoding
from moglow.maths.rotations import Array


def with_stride(encoding: Encoding, poses: Array, share: Array | float, middle: Array | None = None) -> Array:
    """Returns poses ``(T, D)`` whose steps are ``share`` ``(T,)`` times as long, for a path that is as much faster.

    The toes' places and the feet's yaw move about their means, or about the pose ``middle`` ``(D,)``, so that a foot
    that stands on one path stands on the other. Encodings without these numbers are returned as they are.
    """
    out, each = np.array(poses, float), np.reshape(share, (-1, 1))
    for group in PLANTED:
        if group in encoding.slices:
            channels = encoding.slice(group)
            centre = out[:, channels].mean(0) if middle is None else middle[channels]
            out[:, channels] = centre + each * (out[:, channels] - centre)
    return out
