"""`moglow train`: a recipe becomes a trained model in a folder."""

from pathlib import Path

import click

from moglow.cli.options import SEED, Whole

EXAMPLE = """\b
Examples:
  moglow train data/procedural/recipe.toml -o runs/first --steps 300
  moglow train data/open/recipe.toml -o runs/open --corpus open.corpus --set training.batch=32
  moglow train data/open/recipe.toml -o runs/open --resume
  torchrun --nproc-per-node 2 -m moglow train data/open/recipe.toml -o runs/open
"""


@click.command(epilog=EXAMPLE)
@click.argument("recipe_file", metavar="RECIPE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The run's folder.")
@click.option(
    "--corpus", "corpus_file", type=click.Path(path_type=Path), help="The corpus; made if it is not there."
)
@click.option("--data", type=click.Path(exists=True, file_okay=False), help="Where the recipe's folders lie.")
@click.option(
    "--set", "settings", multiple=True, metavar="SECTION.KEY=VALUE", help="Overrides a recipe's value."
)
@click.option("--steps", type=Whole(1, 1_000_000_000), help="Steps in all; short for --set training.steps=N.")
@click.option("--seed", type=SEED, default=0, show_default=True, help="The same seed gives the same model.")
@click.option("--resume", is_flag=True, help="Continues the run in OUTPUT.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option("--tensorboard", is_flag=True, help="Writes scalars for TensorBoard into OUTPUT.")
@click.option("--sheets", is_flag=True, help="Draws roll-outs after each validation into OUTPUT/sheets.")
def command(
    recipe_file: Path,
    output: Path,
    corpus_file: Path | None,
    data: str | None,
    settings: tuple[str, ...],
    steps: int | None,
    seed: int,
    resume: bool,
    device: str,
    tensorboard: bool,
    sheets: bool,
) -> None:
    """Trains the model of a recipe, on the GPU if there is one.

    Writes best.safetensors (what `moglow generate` takes), last.safetensors, the state for --resume, and log.jsonl.
    Ctrl-C saves and stops; a second one stops at once. Under `torchrun` the processes share each batch.
    """
    from moglow.cli.actions.train_corpus import corpus_of
    from moglow.cli.actions.train_screen import Screen
    from moglow.compute.distributed import process_group
    from moglow.compute.memory import keep_freed_memory
    from moglow.recipe import read_recipe
    from moglow.training.folder import occupied, refuse_used
    from moglow.training.run import TrainingPlan, TrainingRun

    extra = [] if steps is None else [f"training.steps={steps}"]
    recipe = read_recipe(recipe_file, [*settings, *extra])
    plan = TrainingPlan.of(recipe)
    if not resume:
        refuse_used(output)
    keep_freed_memory()  # an eighth to a seventh of each step on a CPU
    with process_group(device) as place:
        with occupied(output, place):
            corpus = corpus_of(recipe, corpus_file or default_corpus(recipe_file, output), data, place)
            run = TrainingRun(output, plan, corpus, seed=seed, resume=resume, place=place)
            with Screen(run, tensorboard=tensorboard, sheets=sheets) as screen:
                for event in run.events():
                    screen.show(event)
                run.save()
        screen.close()


def default_corpus(recipe_file: Path, output: Path) -> Path:
    """Returns where a recipe's corpus is kept: beside the runs, so that they share it.

    >>> default_corpus(Path("data/open/recipe.toml"), Path("runs/first")).as_posix()
    'runs/open.corpus'
    """
    return output.parent / f"{recipe_file.absolute().parent.name}.corpus"
