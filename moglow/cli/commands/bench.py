"""`moglow bench`: the sampling speed of a model on this machine, compared with the limits of the hardware."""

import json
import os
from pathlib import Path

import click

from moglow.cli.options import CHANNELS, Whole
from moglow.cli.terminal import say

EXAMPLE = """\b
Examples:
  moglow bench
  moglow bench --preset paper --pose 63 --control 3 --batch 1
  moglow bench --checkpoint runs/open --kernel native --json
"""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@click.command(epilog=EXAMPLE)
@click.option("--checkpoint", type=click.Path(path_type=Path), help="A trained model, or a run's folder.")
@click.option("--preset", help="A preset with random weights in place of a trained model.")
@click.option("--pose", type=CHANNELS, default=63, show_default=True, help="Pose channels of --preset.")
@click.option("--control", type=CHANNELS, default=3, show_default=True, help="Control channels of --preset.")
@click.option(
    "--frames",
    type=Whole(1, 1_000_000),
    default=200,
    show_default=True,
    help="Motion frames to time at least.",
)
@click.option(
    "--batch",
    "batches",
    type=Whole(1, 65_536),
    multiple=True,
    default=(1, 64, 1024),
    show_default=True,
    help="Motions sampled at once; may be repeated.",
)
@click.option(
    "--kernel",
    type=click.Choice(["auto", "float32", "numpy", "native", "torch", "bfloat16"]),
    default="auto",
    show_default=True,
    help="How frames are computed: float32 is the compiled kernel of moglow generate; the others differ in how large "
    "matrices are kept and multiplied. auto tries what suits the batch.",
)
@click.option("--device", default="cpu", show_default=True, help="auto, cpu, cuda or cuda:1.")
@click.option("--threads", type=Whole(1, 1024), default=1, show_default=True, help="Threads of a product.")
@click.option("--cpu-time", is_flag=True, help="Counts processor seconds: for one thread, on a busy machine.")
@click.option("--json", "as_json", is_flag=True, help="Prints JSON.")
def command(
    checkpoint: Path | None,
    preset: str | None,
    pose: int,
    control: int,
    device: str,
    threads: int,
    as_json: bool,
    **options: object,
) -> None:
    """Measures the speed of sampling.

    Prints milliseconds a frame, frames a second, the time of the first frame and the limits of this machine.
    """
    os.environ.update(dict.fromkeys(THREADS, str(threads)))  # must be set before numpy is imported
    from moglow.evaluation.speed import Subject, measure, report_lines
    from moglow.sampling.generate import PRETRAINED

    if preset is None:
        subject = Subject.of_checkpoint(checkpoint or PRETRAINED)
    else:
        subject = Subject.of_preset(preset, pose=pose, control=control)
    if device != "cpu":  # numpy alone measures a CPU
        from moglow.compute.device import find_device

        found = find_device(device)
        device = found if found.startswith("cuda") else "cpu"
    report = measure(subject, device=device, **options)  # type: ignore[arg-type]
    say(json.dumps(report, indent=1) if as_json else "\n".join(report_lines(report)))
