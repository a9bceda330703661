"""`moglow evaluate`: compares models with real motion, in numbers and on a page."""

from pathlib import Path

import click

from moglow.cli.options import Number, Whole, scheduler_option
from moglow.cli.terminal import make_console, say

MEASURED = ("controls", "wander", "tell", "gait", "styles", "live", "response")
"""The names of all measures; a copy of those in `moglow.evaluation.results`, whose import needs torch."""

EXAMPLE = """\b
Examples:
  moglow evaluate --corpus open.corpus --report report.html
  moglow evaluate --checkpoint runs/first --corpus open.corpus --json figures.json --quick
  moglow evaluate --checkpoint runs/first --compare runs/vae runs/gan --corpus open.corpus --report report.html
  moglow evaluate --corpus open.corpus --measures tell,gait,styles,live,response --json figures.json
"""


def chosen(text: str | None) -> tuple[str, ...]:
    """Parses a list of measures; returns them in the order of `MEASURED`.

    >>> chosen("live, gait")
    ('gait', 'live')
    """
    names = [name.strip() for name in (text or ",".join(MEASURED)).split(",") if name.strip()]
    for name in names:
        if name not in MEASURED:
            raise click.BadParameter(f"there is no measure {name!r}; choose from {', '.join(MEASURED)}")
    if not names:
        raise click.BadParameter(f"no measure is named; choose from {', '.join(MEASURED)}")
    return tuple(name for name in MEASURED if name in names)


@click.command(epilog=EXAMPLE)
@click.argument("others", metavar="[--compare MODEL...]", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--checkpoint",
    "checkpoints",
    multiple=True,
    type=click.Path(path_type=Path),
    help="A trained model, or a run's folder. By default the model inside.",
)
@click.option("--compare", is_flag=True, help="Compares the models that follow with it, figure by figure.")
@click.option(
    "--corpus",
    "corpora",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Held-out and training motion; further ones, in other encodings, for their models' likelihoods.",
)
@click.option("--report", type=click.Path(path_type=Path), help="Writes an .html page.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Writes all figures as JSON.")
@click.option("--seeds", type=Whole(1, 10_000), default=5, show_default=True, help="Takes of each control.")
@click.option("--temperature", type=Number(0, 2), help="0 is the calmest, 1 as varied as the data.")
@click.option(
    "--device",
    default="cpu",
    show_default=True,
    help="cpu or cuda; a GPU samples a thousand motions at once.",
)
@click.option(
    "--measures",
    default=",".join(MEASURED),
    show_default=True,
    callback=lambda context, option, text: chosen(text),
    help="What is measured, separated by commas.",
)
@click.option("--quick", is_flag=True, help="Fewer and shorter takes, for a first impression.")
@scheduler_option("Computes the rows and panels")
def command(
    others: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    compare: bool,
    corpora: tuple[Path, ...],
    report: Path | None,
    json_file: Path | None,
    seeds: int,
    temperature: float | None,
    device: str,
    measures: tuple[str, ...],
    quick: bool,
    scheduler: str | None,
) -> None:
    """Measures models beside real motion on the same controls.

    controls: held-out and seven synthetic ones, over several seeds with intervals. The table includes motion copied
    from the training set. Differences beyond noise, from it and from the models after --compare, are stated in words.
    wander: minutes of wandering. tell: how well a small net distinguishes sampled from recorded motion. gait:
    straight walks and runs at eight speeds. styles: changes of style in mid-walk. live: forty manoeuvres, steered as
    in the window. response: the time in which the hips follow changes of speed, turn and direction. Without --corpus,
    only synthetic controls, wandering, gait, live and response are measured, mostly without recorded motion.
    """
    from moglow.cli.actions.evaluate import evaluated, scoreboard, write_json
    from moglow.files.atomic import refuse_overwriting
    from moglow.sampling.generate import PRETRAINED
    from moglow_viewer.pages.report import write_report

    if len(checkpoints) > 1 or compare != bool(others):
        raise click.UsageError("give one --checkpoint, and after --compare the models to compare it with")
    models = [*(checkpoints or [PRETRAINED]), *others]
    refuse_overwriting(filter(None, (json_file, report)), (*models, *corpora))
    evaluation = evaluated(
        models,
        corpora,
        seeds=seeds,
        temperature=temperature,
        quick=quick,
        device=device,
        measures=measures,
        scheduler=scheduler,
    )
    if json_file:
        write_json(evaluation, json_file)
    if report:
        write_report(evaluation, report)
    make_console().print(scoreboard(evaluation))
    for file in (json_file, report):
        if file:
            say(f"{file}: {file.stat().st_size / 1000:.0f} kB")
