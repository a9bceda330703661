"""The files of takes that exist already: which of them are finished, and their numbers by rank."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from moglow.checkpoint import Checkpoint, real_slide
from moglow.errors import ExportError
from moglow.files.locks import locked
from moglow.sampling.ranking import scores
from moglow.takes.jobs import Job
from moglow.takes.orders import Order, Wish
from moglow.takes.sidecars import Figures, agrees, describe, move_motion, refuse_foreign, remove_lone_sidecar

THERE = "is there already, made with the same settings; overwrite it to make it again"


def places_of(job: Job, wish: Wish) -> list[Path]:
    """Returns the files that a job may write, including those of takes without a rank."""
    places = [job.place(take) for take in job.takes]
    return [*(job.waiting(take) for take in job.takes), *places] if wish.rank else places


def files_of(job: Job, wish: Wish) -> dict[int, list[tuple[Path, Figures]]]:
    """Returns the existing files of each take of a job; raises an error for files that moglow did not make."""
    found: dict[int, list[tuple[Path, Figures]]] = {}
    for place in places_of(job, wish):
        if figures := refuse_foreign(place, overwrite=wish.overwrite):
            found.setdefault(figures["take"], []).append((place, figures))
    return found


def finished_file(
    order: Order, found: Mapping[int, Sequence[tuple[Path, Figures]]]
) -> tuple[Path, Figures] | None:
    """Returns the existing complete file of a take with the same settings, and its figures."""
    same = (each for each in found.get(order.take, ()) if agrees(each[1], order.settings))
    return next(same, None)


def rank(job: Job, orders: Sequence[Order], wish: Wish, model: Checkpoint) -> Iterator[str]:
    """Numbers the takes of a path by their scores, the best first."""
    for take in job.takes:
        remove_lone_sidecar(job.waiting(take))  # of a process that was killed
    known = files_of(job, wish)
    finished = [each for order in orders if (each := finished_file(order, known))]
    if len(finished) < len(orders):
        raise ExportError(f"{job.target}: another process replaced takes of it; generate them again")
    found, all_figures = [file for file, _ in finished], [figures for _, figures in finished]
    values = scores(
        [each["path_error_m"]["mean"] for each in all_figures],
        [each["foot_slide_m_s"]["sampled"]["mean"] for each in all_figures],
        [each["log_likelihood_nats"]["mean"] or np.nan for each in all_figures],
        channels=model.context.pose_dim,
        real_slide=real_slide(model),
    )
    order = np.argsort(values, kind="stable")
    if all(found[k] == job.place(place) and "score" in all_figures[k] for place, k in enumerate(order)):
        yield from (f"{job.place(place)}: {THERE}" for place in range(len(order)))
        return
    for file, figures, value in zip(found, all_figures, values, strict=True):
        move_motion(file, job.waiting(figures["take"]), figures | {"score": round(float(value), 3)})
    for place, k in enumerate(order):
        target, waiting = job.place(place), job.waiting(all_figures[k]["take"])
        with locked(target):
            move_motion(waiting, target, all_figures[k] | {"score": round(float(values[k]), 3)})
        yield f"{describe(target, all_figures[k])}, score {values[k]:.2f}"
