"""The page about the family of models, made from their docstrings and the results of `run.py`."""

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
"""Columns of the tables of differences; these measures have a band."""
REPEATED = ("slide_median", "slide_mean", "path_mean", "jerk", "toe_height", "frechet", "diversity")
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
"""Pages of docs/ with more about a model."""
ABOUT: Mapping[str, str] = {
    "flow_gallery.md": "each flow on four densities in the plane",
    "styles.md": "classifying styles by a mixture in latent space",
    "anomalies.md": "detecting damage by the score of a model, and training with outliers",
    "cleaning.md": "finding and mending damage",
}
"""Pages of docs/ about uses of the models."""


def page(found: Evaluation, training: TrainingSpec, shipped: int) -> str:
    """Returns the page as Markdown; ``shipped`` is the number of steps in the shipped recipe."""
    first = replace(found, rows=tuple(row for row in found.rows if not row.about.get("seed")))
    parts = (_introduction(first, training, shipped), _comparison(first), _repeated(found), _members(first))
    return "\n".join(chain(*parts)) + "\n"


def idea(model: type) -> str:
    """Returns a model's docstring without its examples."""
    parts = inspect.cleandoc(model.__doc__ or "").split("\n\n")
    return "\n\n".join(part for part in parts if not part.startswith(">>>")).replace("~", "\\~")


def _introduction(found: Evaluation, training: TrainingSpec, shipped: int) -> Iterator[str]:
    models = [row for row in found.rows if "parameters" in row.about]
    sizes = [row.about["parameters"] / 1e6 for row in models]
    spec = found.spec
    yield "# The family of models\n"
    yield (
        "[`scripts/benchmarks/family/run.py`](../scripts/benchmarks/family/run.py) makes this page from the docstrings "
        "of the models and from [`models.jsonl`](models.jsonl). [Write your own model](own_model.md) in under 60 "
        "lines.\n"
    )
    more = [f"{words} ([{name}]({name}))" for name, words in ABOUT.items() if (DOCS / name).exists()]
    yield f"Pages about their uses: {'; '.join(more)}.\n"
    if not models:
        return
    yield (
        "Each model was trained on the motion of [`data/open`](../data/open/recipe.toml) with its recipe; only "
        f"the model and the length were changed: {training.steps:,} steps of {training.batch} windows, one CPU thread; "
        f"{min(sizes):.1f} to {max(sizes):.1f} million parameters. The shipped recipe has {shipped:,} steps: the short "
        "training shows the character of a model, not its best result. Rows whose name begins with *paper* are MoGlow "
        "with all choices of the paper, including its windows, and the size of the preset `compact`. The intervals do "
        "not include the variation between training seeds.\n"
    )
    yield (
        f"Measured by the code of `moglow evaluate`: held-out controls and seven synthetic ones, {spec.seeds} sampling "
        f"seeds at temperature {spec.temperature:g}, ± half of a 95 % interval over them; {spec.wanders} wanders of "
        f"{spec.wander_seconds / 60:g} minutes. The tables include held-out real motion, and motion copied from the "
        f"training set as a baseline without learning. Likelihoods compare within an encoding only; that of a VAE is a "
        "bound. Minutes were measured on cores shared with other processes. Spread is the deviation of samples over "
        "the error of their mean: 1 is calibrated, 0 means that all samples are equal.\n"
    )


def _comparison(found: Evaluation) -> Iterator[str]:
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
        f"How much farther than that of {found.first.name} a figure is from its target, as the mean difference over "
        "controls (over seeds for the Fréchet distance), ± half of a 95 % interval; negative is nearer. Bold where the "
        "interval excludes zero, which happens by chance in about one of twenty.\n"
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
    yield "As text, with all measures that have a band:\n"
    for group in (HELD_OUT, SYNTHETIC):
        yield from (f"* {line}." for line in standings(found, group))
    yield ""


def _repeated(found: Evaluation) -> Iterator[str]:
    """Yields the figures of all training seeds of the models that were trained more than once."""
    seeds: dict[str, list[Row]] = {}
    for row in found.rows:
        if "member" in row.about:
            seeds.setdefault(row.about["member"], []).append(row)
    repeated = {name: rows for name, rows in seeds.items() if len(rows) > 1}
    if not repeated:
        return
    yield "## Several training seeds\n"
    yield (
        "Figures on held-out controls from several training seeds. A difference between two models means little if two "
        "seeds of one model differ as much.\n"
    )
    head = ("", *map(_head, REPEATED), "nats a frame", "blown up")
    yield from _table(head, ([name, *_of_seeds(rows)] for name, rows in repeated.items()))


def _of_seeds(rows: Iterable[Row]) -> list[str]:
    """Returns the cells of one model, each with the values of all its seeds."""
    cells = (
        [
            *(_value(row.figures[HELD_OUT].get(key), key) for key in REPEATED),
            _nats(row),
            str(row.wandering.blown_up) if row.wandering else "",
        ]
        for row in rows
    )
    return [", ".join(filter(None, column)) for column in zip(*cells, strict=True)]


def _nats(row: Row) -> str:
    """Returns the negative log-likelihood of held-out motion; empty for a model without one."""
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
