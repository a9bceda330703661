"""The figures shown beside takes, measured from the clip or read from its sidecar file."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moglow.measures.metrics import path_error, toe_slide
from moglow.motion.clip import Clip
from moglow.motion.contacts import toe_points
from moglow.paths.control_path import ControlPath

# Label, factor to the displayed unit, and that unit of each figure, in the order of the table.
LABELS: dict[str, tuple[str, float, str]] = {
    "duration_s": ("length", 1, "s"),
    "path_error_m.mean": ("path error, mean", 100, "cm"),
    "path_error_m.p95": ("path error, 95 %", 100, "cm"),
    "foot_slide_m_s.written.mean": ("foot slide, mean", 100, "cm/s"),
    "foot_slide_m_s.sampled.mean": ("before the foot lock", 100, "cm/s"),
    "jerk_m_s3": ("jerk", 1, "m/s³"),
    "temperature": ("temperature", 1, ""),
    "seed": ("seed", 1, ""),
    "take": ("take", 1, ""),
    "style": ("style", 1, ""),
    "model": ("model", 1, ""),
}


def measure(clip: Clip, control: ControlPath | None = None) -> dict[str, Any]:
    """Returns the figures of a clip that can be measured without its sidecar, under the same keys.

    >>> from moglow.motion.skeleton import Skeleton
    >>> measure(Clip.at_rest(Skeleton(("Hips",), (-1,), [[0.0, 0.9, 0.0]]), frames=31))
    {'duration_s': 1.0}
    """
    figures: dict[str, Any] = {"duration_s": clip.duration}
    if clip.skeleton.anatomy.legs:
        figures["foot_slide_m_s"] = {"written": {"mean": toe_slide(toe_points(clip), clip.fps).mean}}
    if control:
        requested, walked = control.resample(clip.fps).positions, clip.ground_positions()
        both = min(len(requested), len(walked))
        figures["path_error_m"] = {"mean": path_error(walked[:both], requested[:both]).mean}
    return figures


def figure_table(figures: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Returns rows of a label and a value for each take, without figures that no take has.

    >>> figure_table([{"path_error_m": {"mean": 0.0312}}, {"seed": 7}])
    [['path error, mean', '3.1 cm', ''], ['seed', '', '7']]
    """
    takes = [dict(_flat(each)) for each in figures]
    return [
        [label, *(_shown(take.get(key), scale, unit) for take in takes)]
        for key, (label, scale, unit) in LABELS.items()
        if any(take.get(key) is not None for take in takes)
    ]


def _flat(figures: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in figures.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def _shown(value: Any, scale: float, unit: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    scaled = value * scale
    digits = f"{scaled:g}" if not unit else f"{scaled:.1f}" if abs(scaled) < 100 else f"{scaled:.0f}"
    return f"{digits} {unit}".rstrip()
