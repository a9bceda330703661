"""Longer and shorter steps: feet farther apart along their way, in the numbers of a pose. Needs numpy alone."""

import numpy as np

from moglow.encodings.chart import PLANTED
from moglow.encodings.encoding import Encoding
from moglow.maths.rotations import Array


def with_stride(encoding: Encoding, poses: Array, share: Array | float) -> Array:
    """Returns poses ``(T, D)`` whose steps are ``share`` ``(T,)`` times as long, for a path that is as much faster.

    The toes' places and the feet's yaw move about their means, so that a foot that stands on one path stands on the
    other. Encodings without these numbers are returned as they are.
    """
    out, each = np.array(poses, float), np.reshape(share, (-1, 1))
    for group in PLANTED:
        if group in encoding.slices:
            channels = encoding.slice(group)
            middle = out[:, channels].mean(0)
            out[:, channels] = middle + each * (out[:, channels] - middle)
    return out
