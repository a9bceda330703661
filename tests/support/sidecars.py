"""Made-up figures of a motion file, in the form of the sidecars of `moglow generate`."""

from pathlib import Path
from typing import Any

from moglow.files.atomic import file_digest


def figures_of(motion: Path, **figures: Any) -> dict[str, Any]:
    """Returns the figures of a motion file as its sidecar holds them, some of them as given."""
    made_up = {
        "moglow": "0.1.0",
        "model_sha256": "1" * 64,
        "control_sha256": "2" * 64,
        "seed": 0,
        "take": 0,
        "fps": 30.0,
        "frames": 31,
        "path_error_m": {"mean": 0.1},
        "foot_slide_m_s": {"sampled": {"mean": 0.2}, "written": {"mean": 0.1}},
        "log_likelihood_nats": {"mean": 50.0},
        "bytes": motion.stat().st_size,
        "sha256": file_digest(motion),
    }
    return made_up | figures
