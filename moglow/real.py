"""What a checkpoint says of the real motion it was validated on, to stand beside generated motion. Floor 11."""

from typing import Any

from moglow.checkpoint import Checkpoint
from moglow.ranking import REAL_SLIDE


def real_slide(checkpoint: Checkpoint) -> float:
    """Mean slide (m/s) of the lowest toe in the real motion that the checkpoint was validated on."""
    return float(checkpoint.about.get("validation", {}).get("real", {}).get("slide_mean", REAL_SLIDE))


def real_figures(checkpoint: Checkpoint) -> dict[str, Any]:
    """The same figures of held-out real motion, as far as the checkpoint says them."""
    said = checkpoint.about.get("validation", {})
    real, likelihood = said.get("real", {}), said.get("likelihood", {})
    out: dict[str, Any] = {}
    if real:
        out["foot_slide_m_s"] = {
            "median": round(real["slide_median"], 4),
            "mean": round(real["slide_mean"], 4),
        }
        out["jerk_m_s3"] = round(real["jerk"], 1)
    if likelihood:
        out["log_likelihood_nats"] = {"mean": round(-likelihood["standardized"], 2)}
    return out


def likelihood_terms(checkpoint: Checkpoint) -> str:
    """What a likelihood of this model means."""
    noise = checkpoint.about.get("validation", {}).get("likelihood", {}).get("dequantised")
    density = f", density with dequantisation noise of {noise:g} deviations" if noise is not None else ""
    stride = int(checkpoint.about.get("stride", 1))
    shares = f", in equal shares of {stride} frames scored at once" if stride > 1 else ""
    channels = checkpoint.context.pose_dim
    return f"natural log, {channels} standardised channels a frame{density}, at temperature 1{shares}"
