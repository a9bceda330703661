"""The page about the family of models: what each says of itself in its docstring, and what was measured."""

import inspect
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path

from moglow.evaluation.results import HELD_OUT, SYNTHETIC, Evaluation, Row
from moglow.evaluation.wording import difference_text, number, standings
from moglow.measures.bands import Estimate, standing
from moglow.measures.scores import MEASURES
from moglow.models import MODELS
from moglow.training.spec import TrainingSpec

DOCS = Path(__file__).resolve().parents[3] / "docs"
FIGURES = ("slide_median", "slide_mean", "path_mean", "heading", "jerk", "toe_height", "frechet", "diversity")
"""Columns of the tables of figures."""
DIFFERENCES = ("slide_median", "slide_mean", "path_mean", "stance", "jerk", "toe_height", "frechet")
"""Columns of the tables of differences, of measures that have a band."""
AGAIN = ("slide_median", "slide_mean", "path_mean", "jerk", "toe_height", "frechet", "diversity")
"""Columns of the table of training seeds."""
MORE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("planar", "radial", "realnvp", "maf"), ("flow_gallery.md",)),
    **dict.fromkeys(("vae", "gan", "regression"), ("anomalies.md",)),
    **dict.fromkeys(
        ("undercomplete", "overcomplete", "denoising", "sparse_l1", "sparse_kl"), ("anomalies.md",)
    ),
    "glow": ("flow_gallery.md",),
    "moglow": ("ablation.md", "speed.md", "anomalies.md"),
    "flowgmm": ("styles.md",),
}
"""Pages of docs/ where there is more about a model, those that there are."""
ABOUT: Mapping[str, str] = {
    "flow_gallery.md": "what each flow makes of four densities in the plane",
    "styles.md": "styles told apart by a mixture in latent space",
    "anomalies.md": "models as judges of bad frames, and training through outliers",
    "cleaning.md": "finding and mending bad frames",
}
"""Pages of docs/ on what the family is good for, those that there are."""


def page(found: Evaluation, training: TrainingSpec, shipped: int) -> str:
    """Returns the page as Markdown; the recipe that ships asks for so many steps."""
    first = replace(found, rows=tuple(row for row in found.rows if not row.about.get("seed")))
    parts = (_introduction(first, training, shipped), _side_by_side(first), _again(found), _members(first))
    return "\n".join(chain(*parts)) + "\n"


def idea(model: type) -> str:
    """Returns what a model's docstring says, without its examples."""
    parts = inspect.cleandoc(model.__doc__ or "").split("\n\n")
    return "\n\n".join(part for part in parts if not part.startswith(">>>")).replace("~", "\\~")


def _introduction(found: Evaluation, training: TrainingSpec, shipped: int) -> Iterator[str]:
    models = [row for row in found.rows if "parameters" in row.about]
    sizes = [row.about["parameters"] / 1e6 for row in models]
    spec = found.spec
    yield "# The family of models\n"
    yield (
        "Made by [`scripts/benchmarks/family/run.py`](../scripts/benchmarks/family/run.py) "
        "from the models' own words and from [`models.jsonl`](models.jsonl); a test fails when it lags behind them. "
        "[Write your own](own_model.md) in under 60 lines.\n"
    )
    more = [f"{words} ([{name}]({name}))" for name, words in ABOUT.items() if (DOCS / name).exists()]
    yield f"More of what they do: {'; '.join(more)}.\n"
    if not models:
        return
    yield (
        "Each model was trained on the motion of [`data/open`](../data/open/recipe.toml) by the recipe there, its "
        f"model replaced: {training.steps:,} steps of {training.batch} windows, one thread of a CPU; {min(sizes):.1f} "
        f"to {max(sizes):.1f} million parameters. The recipe that ships asks for {shipped:,} steps: this is enough to "
        "see what a model is like, not how good it gets. Rows that begin with *paper* are MoGlow with all of the "
        "paper's choices, windows too, at our size. What another seed of training gives is not in the intervals.\n"
    )
    yield (
        f"Measured by the code of `moglow evaluate`: held-out controls and seven synthetic ones, {spec.seeds} seeds of "
        f"sampling at temperature {spec.temperature:g}, ± half of a 95 % interval over them; {spec.wanders} wanders of "
        f"{spec.wander_seconds / 60:g} minutes. Held-out real motion stands in the table, and motion copied from the "
        f"training set, which learns nothing. Likelihoods compare within an encoding only; that of a VAE is a bound. "
        "Minutes are of cores shared with others. Spread is that of draws over the error of their mean: 1 is right, 0 "
        "says the same whatever is drawn.\n"
    )


def _side_by_side(found: Evaluation) -> Iterator[str]:
    for group in (HELD_OUT, SYNTHETIC):
        rows = [row for row in found.rows if group in row.figures]
        if rows:
            yield f"## On {group} controls\n"
            yield from _table(("", *map(_head, FIGURES)), (_figures(row, group) for row in rows))
    models = [row for row in found.rows if "parameters" in row.about]
    if not models or not found.first:
        return
    yield "## Size, likelihood, endurance\n"
    head = (
        "",
        "M parameters",
        "minutes",
        "nats a frame",
        "spread",
        "blown up",
        "frozen",
        "slide drifts",
        "jerk drifts",
    )
    yield from _table(head, map(_training, models))
    yield f"## Against {found.first.name}\n"
    yield (
        f"How much farther than {found.first.name} a figure is from what it should be, the mean over controls of the "
        "difference on each (over seeds for the Fréchet distance), ± half of a 95 % interval; below zero it is nearer. "
        "Bold where the whole interval says so; of twenty such about one does by chance.\n"
    )
    for group in (HELD_OUT, SYNTHETIC):
        keys = [
            key for key in DIFFERENCES if any(difference_text(found, row, group, key) for row in found.rows)
        ]
        others = [row for row in found.rows if any(difference_text(found, row, group, key) for key in keys)]
        if not keys:
            continue
        lines = ([row.name, *(_difference(found, row, group, key) for key in keys)] for row in others)
        yield from _table((group, *map(_head, keys)), lines)
    yield "In words, with all measures that have a band:\n"
    for group in (HELD_OUT, SYNTHETIC):
        yield from (f"* {line}." for line in standings(found, group))
    yield ""


def _again(found: Evaluation) -> Iterator[str]:
    """What the seeds of training gave, side by side, of members that were trained more than once."""
    seeds: dict[str, list[Row]] = {}
    for row in found.rows:
        if "member" in row.about:
            seeds.setdefault(row.about["member"], []).append(row)
    again = {name: rows for name, rows in seeds.items() if len(rows) > 1}
    if not again:
        return
    yield "## Trained again\n"
    yield (
        "The same on held-out controls from other seeds of training, side by side: what lies between two models means "
        "little where it lies between two seeds of one.\n"
    )
    head = ("", *map(_head, AGAIN), "nats a frame", "blown up")
    yield from _table(head, ([name, *_side(rows)] for name, rows in again.items()))


def _side(rows: Iterable[Row]) -> list[str]:
    """The cells of one model: in each what its seeds gave."""
    cells = (
        [
            *(_value(row.figures[HELD_OUT].get(key), key) for key in AGAIN),
            _nats(row),
            str(row.wandering.blown_up) if row.wandering else "",
        ]
        for row in rows
    )
    return [", ".join(filter(None, column)) for column in zip(*cells, strict=True)]


def _nats(row: Row) -> str:
    """The negative log-likelihood of held-out motion, of a model that has one."""
    nats = -row.likelihood.means["held-out"] if row.likelihood else math.nan
    return "" if math.isnan(nats) else number(nats)


def _value(figure: Estimate | None, key: str) -> str:
    return "" if figure is None or math.isnan(figure.value) else number(figure.value * MEASURES[key].scale)


def _members(found: Evaluation) -> Iterator[str]:
    for name, model in MODELS.items():
        yield f"## {name}\n"
        yield f"{idea(model)}\n"
        yield (
            f"[`{model.__module__}`](../{model.__module__.replace('.', '/')}.py)"
            + "".join(
                f", [{more.removesuffix('.md').replace('_', ' ')}]({more})"
                for more in MORE.get(name, ())
                if (DOCS / more).exists()
            )
            + "\n"
        )
        for row in found.rows:
            if row.about.get("member") == name:
                yield f"![Six seconds of {name} on synthetic controls](models/{name}.svg)\n"


def _figures(row: Row, group: str) -> list[str]:
    return [
        f"**{row.name}**" if not row.about else row.name,
        *(_cell(row.figures[group].get(k), k) for k in FIGURES),
    ]


def _cell(figure: Estimate | None, key: str) -> str:
    value = _value(figure, key)
    if figure is None or figure.low is None or figure.high is None or not value:
        return value
    return f"{value} ± {number((figure.high - figure.low) / 2 * MEASURES[key].scale)}"


def _difference(found: Evaluation, row: Row, group: str, key: str) -> str:
    text, estimate = difference_text(found, row, group, key), found.difference(row, group, key)
    return f"**{text}**" if estimate and standing(estimate) else text


def _training(row: Row) -> list[str]:
    about, wandered = row.about, row.wandering
    spread = about["spread"]
    cells = [
        row.name,
        f"{about['parameters'] / 1e6:.2f}",
        f"{about['seconds'] / 60:.1f}",
        _nats(row),
        "" if math.isnan(spread) else number(spread),
    ]
    if wandered is None:
        return [*cells, *[""] * 4]
    gone = [f"{count} of {wandered.rollouts}" for count in (wandered.blown_up, wandered.frozen)]
    gains = (wandered.slide_drift.value, wandered.jerk_drift.value)
    return [*cells, *gone, *("" if math.isnan(gain) else f"{100 * gain:+.0f} %" for gain in gains)]


def _head(key: str) -> str:
    measure = MEASURES[key]
    return f"{measure.label}, {measure.unit}" if measure.unit else measure.label


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)
    yield ""
