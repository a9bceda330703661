"""`moglow train`: trains a model on a folder of clips, a corpus or a recipe."""

from pathlib import Path

import click

from moglow.cli.options import SEED, Whole
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow train my_mocap/ -o runs/mine
  moglow train my_mocap/ -o runs/mine --from pretrained
  moglow train data/procedural/recipe.toml -o runs/first --steps 300
  moglow train data/open/recipe.toml -o runs/open --corpus open.corpus --set training.batch=32
  moglow train data/open/recipe.toml -o runs/open --resume
  moglow train data/open/wide.toml -o runs/more --corpus more.corpus --from pretrained
  torchrun --nproc-per-node 2 -m moglow train data/open/recipe.toml -o runs/open
"""

PRETRAINED = "pretrained"
"""The name that stands for the shipped weights."""


@click.command(epilog=EXAMPLE)
@click.argument("source", metavar="SOURCE", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The run's folder.")
@click.option(
    "--corpus", "corpus_file", type=click.Path(path_type=Path), help="The corpus; made if it is not there."
)
@click.option("--data", type=click.Path(exists=True, file_okay=False), help="Where the recipe's folders lie.")
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Overrides a recipe's value."
)
@click.option(
    "--from",
    "start_name",
    metavar="CHECKPOINT",
    help="Starts from a checkpoint, a run's folder, or `pretrained`, and keeps its model, context and labels.",
)
@click.option("--steps", type=Whole(1, 1_000_000_000), help="Steps in all; short for --set training.steps=N.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="The same seed gives the same model.")
@click.option("--resume", is_flag=True, help="Continues the run in OUTPUT.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option("--tensorboard", is_flag=True, help="Writes scalars for TensorBoard into OUTPUT.")
@click.option("--sheets", is_flag=True, help="Draws roll-outs after each validation into OUTPUT/sheets.")
def command(
    source: Path,
    output: Path,
    corpus_file: Path | None,
    data: str | None,
    settings: tuple[str, ...],
    start_name: str | None,
    steps: int | None,
    seed: int,
    resume: bool,
    device: str,
    tensorboard: bool,
    sheets: bool,
) -> None:
    """Trains a model on a folder of BVH files, a corpus or a recipe, on the GPU if there is one.

    In a folder, sub-folders become styles, and the folder's name is the style of the clips beside them. Without a
    recipe the compact model is trained, for as long as suits the motion. With --from, a trained model learns from the
    clips and keeps what it can do; they are put on its skeleton.

    Writes best.safetensors (what `moglow generate` takes), last.safetensors, the state for --resume, and log.jsonl.
    Ctrl-C saves and stops; a second one stops at once. Under `torchrun` the processes share each batch.
    """
    from moglow.checkpoint import Checkpoint
    from moglow.cli.actions.train_corpus import corpus_of
    from moglow.cli.actions.train_screen import Screen
    from moglow.cli.actions.train_source import going_on, material_of, reading
    from moglow.compute.distributed import process_group
    from moglow.compute.memory import keep_freed_memory
    from moglow.takes.single import pretrained
    from moglow.training.folder import LAST, occupied, refuse_used
    from moglow.training.plan import TrainingPlan
    from moglow.training.run import TrainingRun
    from moglow.training.start import Start

    start = None
    if start_name:
        start = Start(pretrained() if start_name == PRETRAINED else Checkpoint.read(start_name), start_name)
    extra = [] if steps is None else [f"training.steps={steps}"]
    begun = Checkpoint.read(output / LAST) if resume and (output / LAST).exists() else None
    material = material_of(source, [*settings, *extra], start, begun)
    TrainingPlan.of(material.recipe)  # checks the recipe before the clips are read
    path = corpus_file or material.corpus_file(output)
    before = start.checkpoint if start else begun if begun and "from" in begun.about else None
    encoding = before.context.encoding if before else None
    anew = material.made_anew and not (corpus_file or resume)
    if not resume:
        refuse_used(output)
    keep_freed_memory()  # saves an eighth to a seventh of the time of each step on a CPU
    with process_group(device) as place:
        with occupied(output, place):
            corpus, summary = corpus_of(material, path, data, place, encoding=encoding, anew=anew)
            plan = TrainingPlan.of(material.fitted(corpus, start).recipe)
            run = TrainingRun(output, plan, corpus, seed=seed, resume=resume, start=start, place=place)
            if not place.rank:
                for line in reading(source, summary):
                    say(line)
            with Screen(run, tensorboard=tensorboard, sheets=sheets) as screen:
                for event in run.events():
                    screen.show(event)
                run.save()
        screen.close()
        if not (place.rank or screen.interrupted):
            style = run.context.spec.usual or (corpus.styles[0] if corpus.styles else "")
            for line in going_on(output, path, style if run.context.styles else ""):
                say(line)
