"""The results of an evaluation: a row for each model and for real motion, with bands, and as JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from moglow import __version__
from moglow.evaluation.likelihoods import Likelihoods
from moglow.evaluation.panels import Panel
from moglow.evaluation.wandering import Wandering
from moglow.measures.bands import (
    BANDS,
    LIKE,
    SYNTHETIC_BANDS,
    Band,
    Breakdown,
    Estimate,
    difference,
    standing,
)
from moglow.measures.metrics import TOLERANCES
from moglow.motion.clip import Clip
from moglow.sampling.generate import TEMPERATURE

HELD_OUT, SYNTHETIC = "held-out", "synthetic"
REAL, COPY = "real motion", "copied from training"
MEASURED = ("controls", "wander", "tell", "gait", "styles", "live", "response")
"""What an evaluation measures, in this order."""


@dataclass(frozen=True)
class EvaluationSpec:
    """The amount of motion that is sampled."""

    seeds: int = 5
    temperature: float = TEMPERATURE
    held_out_seconds: float = math.inf
    synthetic_seconds: float = 12.0
    wanders: int = 50
    wander_seconds: float = 300.0
    temperatures: tuple[float, ...] = (0.4, 0.55, 0.7, 0.85, 1.0)
    sweep_seconds: float = 150.0
    measures: tuple[str, ...] = MEASURED
    """What is measured: held-out and synthetic controls, wandering, and the panels."""
    tell_seconds: float = math.inf
    """Seconds of held-out motion from which sampled motion is distinguished."""

    def quick(self) -> "EvaluationSpec":
        """Returns settings for a check of about a minute."""
        return replace(
            self,
            seeds=min(self.seeds, 2),
            held_out_seconds=100.0,
            synthetic_seconds=8.0,
            wanders=4,
            wander_seconds=120.0,
            temperatures=(0.5, 0.7, 1.0),
            sweep_seconds=60.0,
            tell_seconds=300.0,
        )


Figures = Mapping[str, Estimate]


@dataclass(frozen=True)
class TemperatureFigures:
    """Figures on held-out controls at one temperature."""

    temperature: float
    slide_median: float
    jerk: float
    frechet: float
    diversity: float


@dataclass(frozen=True, eq=False)
class Sheet:
    """A few seconds along one control: a clip for each row of the table."""

    control: str
    clips: Mapping[str, Clip]


@dataclass(frozen=True, eq=False)
class Row:
    """The figures of a model, of copied or of real motion, by group (held-out, synthetic, each synthetic control)."""

    name: str
    figures: Mapping[str, Figures]
    footsteps: tuple[float, ...] = ()  # steps per second for each of `TOLERANCES`
    likelihood: Likelihoods | None = None
    wandering: Wandering | None = None
    temperatures: tuple[TemperatureFigures, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    parts: Breakdown = field(default_factory=dict)  # of the figures that have bands


@dataclass(frozen=True, eq=False)
class Evaluation:
    """The rows of real motion, if there is any, of each checkpoint, and of copied motion, in this order."""

    spec: EvaluationSpec
    rows: tuple[Row, ...]
    sheets: tuple[Sheet, ...]
    controls: Mapping[str, float]  # seconds of each group
    likeness: Mapping[
        str, float
    ]  # distance of the similar real motion for each synthetic control, in deviations
    notes: tuple[str, ...]
    seconds: float
    panels: tuple[Panel, ...] = ()

    @property
    def real(self) -> Row | None:
        return self.rows[0] if self.rows and self.rows[0].name == REAL else None

    @property
    def first(self) -> Row | None:
        """The first model, with which all other rows except real motion are compared."""
        models = [row for row in self.rows if row.name not in (REAL, COPY)]
        return models[0] if models else None

    def difference(self, row: Row, group: str, key: str) -> Estimate | None:
        """Returns how much farther a row is from a figure's target than the first model; None if unknown."""
        first, own = (each.parts.get(group, {}).get(key) if each else None for each in (self.first, row))
        if row in (self.real, self.first) or first is None or own is None:
            return None
        real = self.real.parts.get(group, {}).get(key) if self.real else None
        return difference(_bands(group)[key], first, own, real)

    def real_figure(self, group: str, key: str) -> float | None:
        """Returns real motion's value of a figure, or of the figure that it is compared with."""
        figures = self.real.figures if self.real else {}
        found = figures.get(group, {}).get(LIKE.get(key, key))
        if found is None and group != HELD_OUT:
            found = figures.get(HELD_OUT, {}).get(LIKE.get(key, key)) if not self.likeness else None
        return None if found is None else found.value

    def limits(self, group: str, key: str) -> tuple[float, float] | None:
        """Returns the band of a figure in SI units; None without a band or without the real motion that it needs."""
        band = _bands(group).get(key)
        return band.limits(self.real_figure(group, key)) if band else None

    def verdict(self, row: Row, group: str, key: str) -> str:
        """Returns "in", "out" or "unclear" for a model's figure, "" for real motion and figures without a band."""
        found = row.figures.get(group, {}).get(key)
        return "" if found is None or row is self.real else found.verdict(self.limits(group, key))


def _bands(group: str) -> Mapping[str, Band]:
    return BANDS if group == HELD_OUT else SYNTHETIC_BANDS


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """Returns the evaluation as JSON values: SI units, null for missing numbers."""
    return {
        "moglow": __version__,
        "spec": _plain(evaluation.spec),
        "controls_s": _plain(evaluation.controls),
        "likeness_of_real_controls": _plain(evaluation.likeness),
        "notes": list(evaluation.notes),
        "seconds": round(evaluation.seconds, 1),
        "footstep_tolerances_m_s": _plain(TOLERANCES),
        "rows": [
            {
                "name": row.name,
                **_plain(row.about),
                "figures": {
                    group: {
                        key: {**_plain(estimate), "verdict": evaluation.verdict(row, group, key)}
                        for key, estimate in figures.items()
                    }
                    for group, figures in row.figures.items()
                },
                "parts": _plain(row.parts),
                "farther_than_the_first": {
                    group: {
                        key: {**_plain(found), "standing": standing(found)}
                        for key in parts
                        if (found := evaluation.difference(row, group, key))
                    }
                    for group, parts in row.parts.items()
                },
                "footsteps_per_s": _plain(row.footsteps),
                "likelihood": _plain(row.likelihood),
                "wandering": _plain(row.wandering),
                "temperatures": _plain(row.temperatures),
            }
            for row in evaluation.rows
        ],
        "panels": [_panel(panel) for panel in evaluation.panels],
    }


def _panel(panel: Panel) -> dict[str, Any]:
    return {
        "name": panel.name,
        "title": panel.title,
        "note": panel.note,
        "remarks": list(panel.remarks),
        "limits": _plain(panel.limits),
        "rows": {
            row: {
                condition: {
                    key: {**_plain(estimate), "verdict": panel.verdict(row, condition, key)}
                    for key, estimate in figures.items()
                }
                for condition, figures in conditions.items()
            }
            for row, conditions in panel.rows.items()
        },
    }


def _plain(value: Any) -> Any:
    """Returns JSON values: dataclasses as tables, numbers that are not finite as null."""
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
