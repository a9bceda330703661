"""Measures the difference between sampled and recorded motion by a net that is trained to distinguish them.

Both have the same paths, styles and performers, so that these do not reveal the source. The net is tested on files that
are not in its training set.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from moglow.anatomy.anatomy import part_of
from moglow.checkpoint import Checkpoint
from moglow.corpus.corpus import Corpus
from moglow.evaluation.discriminator import DiscriminatorSpec, Flags, Floats, area_under_curve, log_odds
from moglow.evaluation.experiment import sample
from moglow.evaluation.panels import Conditions, Exam, Limits, over_seeds
from moglow.evaluation.trials import held_out
from moglow.maths.rotations import heading_to_quat, quat_rotate
from moglow.measures.bands import Estimate
from moglow.measures.scores import Measure
from moglow.measures.similarity import body_positions
from moglow.motion.clip import Clip
from moglow.motion.foot_lock import bent_toes, lock_feet
from moglow.sampling.ensemble import Ensemble
from moglow.sampling.generate import LOCK

WHOLE, LOCKED = "whole body", "whole body, foot lock"
PARTS: Mapping[str, tuple[str, ...]] = {
    "legs": ("shin", "foot", "toe"),
    "arms": ("forearm", "hand"),
    "spine and head": ("spine", "chest", "neck", "head"),
    "shoulders": ("clavicle", "upper_arm"),
    "hips": ("hips", "thigh"),
}
"""Parts of the body, by the roles of their joints on either side."""


@dataclass(frozen=True)
class DiscriminationSpec:
    """The windows that are distinguished, and the limits of the figures."""

    seconds: float = 1.0
    """Duration of a window in seconds."""
    hop: float = 0.5
    """Time in seconds between the starts of windows."""
    stride: int = 2
    """Number of frames from one frame of the input to the next."""
    unseen: float = 1 / 3
    """Share of the files on which the net is tested."""
    net: DiscriminatorSpec = field(default_factory=DiscriminatorSpec)
    """The net and its training."""
    choices: int = 5
    """Number of windows with the nearest controls from which the recorded window for a held-out one is sampled."""
    enough: float = 0.65
    """Limit of the area under the curve."""
    fewest: int = 40
    """Least number of windows of a style or a pace for which a figure is computed."""


@dataclass(frozen=True, eq=False)
class WindowSet:
    """Windows ``(N, n, J, 6)`` of joint positions and velocities, and the file, style and pace of each."""

    values: Floats
    files: tuple[str, ...]
    styles: tuple[str, ...]
    paces: Floats


@dataclass(eq=False)
class Discrimination(Exam):
    """The area under the ROC curve, and the accuracy, of nets that distinguish sampled from recorded windows."""

    corpus: Corpus
    seeds: int
    temperature: float
    seconds: float = np.inf
    device: str = "cpu"
    spec: DiscriminationSpec = DiscriminationSpec()
    _seen: dict[str, str] = field(default_factory=dict)

    name = "tell"
    title = "Distinguishing sampled from recorded motion"
    note = (
        "A small convolutional net has one second of joint positions and velocities in the root's frame as input, is "
        "trained on two thirds of the held-out files and tested on the others; each seed has another third. AUC "
        "0.5: the net cannot distinguish them; 1: it always can. Sampled motion has the held-out paths with their "
        "styles and performers. Recorded motion in this table is training motion with the nearest control and the same "
        "style, compared with held-out motion."
    )
    measures: ClassVar[Mapping[str, Measure]] = {
        "auc": Measure("AUC"),
        "accuracy": Measure("accuracy", "%", 100),
        "windows": Measure("windows"),
    }
    columns = ("auc", "accuracy")

    def __post_init__(self) -> None:
        shortest = self.spec.seconds + 2 / self.corpus.fps
        self.trials = held_out(self.corpus, seconds=self.seconds, shortest=shortest)
        self.held_out = self._windows([trial.real for trial in self.trials if trial.real])
        self.joints = parts_of_body(self.corpus)

    def recorded(self) -> Conditions:
        """Returns the figures of training motion against held-out motion."""
        if not self._testable:
            return {}
        by_seed = [self._compared(seed, self._alike(seed), None) for seed in range(self.seeds)]
        return _estimates(by_seed)

    def sampled(self, name: str, checkpoint: Checkpoint) -> Conditions:
        """Returns the figures of sampled against held-out motion, with one take of each path for each seed."""
        if not self._testable:
            return {}
        ensemble = Ensemble(checkpoint, self.temperature, self.device)
        takes = sample(ensemble, self.trials, self.seeds if ensemble.model.noise_dim else 1)
        by_seed = []
        for seed in range(len(takes[0])):
            clips = [motions[seed].clip for motions in takes]
            locked = [bent_toes(lock_feet(clip, spec=LOCK)) for clip in clips]
            windows = self._windows(clips).values, self._windows(locked).values
            by_seed.append(self._compared(seed, *windows))
        found = _estimates(by_seed)
        areas = {part: found[part]["auc"].value for part in self.joints}
        parts = [f"{part} ({areas[part]:.2f})" for part in sorted(areas, key=lambda part: -areas[part])]
        self._seen[name] = f"{name}: AUC by part of the body, highest first: {', '.join(parts)}."
        return found

    def limits(self) -> Limits:
        """Returns the same limit for all parts of the body."""
        return {name: {"auc": (-np.inf, self.spec.enough)} for name in (WHOLE, LOCKED, *self.joints)}

    def brief(self) -> tuple[str, ...]:
        """Returns the whole body and its parts; styles and paces are in the JSON and on the page."""
        return (WHOLE, LOCKED, *self.joints)

    def remarks(self) -> Sequence[str]:
        """Returns the parts of the body that the nets distinguish best."""
        if not self._testable:
            return (
                "tell: the corpus has fewer than three held-out files of at least a second, so no net was trained.",
            )
        return tuple(self._seen.values())

    @property
    def _testable(self) -> bool:
        return len(set(self.held_out.files)) >= 3

    def _compared(self, seed: int, other: Floats, locked: Floats | None) -> dict[str, dict[str, float]]:
        """Returns the figures of one seed by part of the body, style and pace."""
        real, unseen = self.held_out, self._unseen(seed)
        found, odds = {}, {}
        everything = list(range(real.values.shape[2]))
        for part, joints in ((WHOLE, everything), *self.joints.items()):
            odds[part] = log_odds(
                real.values[:, :, joints], other[:, :, joints], unseen, spec=self.spec.net, seed=seed
            )
            found[part] = _figures(*odds[part])
        if locked is not None:
            found[LOCKED] = _figures(*log_odds(real.values, locked, unseen, spec=self.spec.net, seed=seed))
        truth, sampled = odds[WHOLE]
        for label, chosen in self._groups(unseen):
            if chosen.sum() >= self.spec.fewest:
                found[label] = _figures(truth[chosen], sampled[chosen])
        return found

    def _groups(self, unseen: Flags) -> Iterator[tuple[str, Flags]]:
        """Yields the styles and paces of the unseen windows."""
        styles, paces = np.array(self.held_out.styles)[unseen], self.held_out.paces[unseen]
        for style in sorted({style for style in self.held_out.styles if style}):
            yield f"style {style}", styles == style
        for label, low, high in (("stand", 0.0, 0.3), ("walk", 0.3, 1.5), ("run", 1.5, np.inf)):
            yield f"pace {label}", (paces >= low) & (paces < high)

    def _unseen(self, seed: int) -> Flags:
        """Returns flags of the windows on which the net of a seed is tested."""
        names = sorted(set(self.held_out.files))
        count = max(1, round(self.spec.unseen * len(names)))
        order = np.random.default_rng([seed // 3, 5]).permutation(names)
        chosen = np.take(order, np.arange(count) + seed % 3 * count, mode="wrap")
        return np.isin(self.held_out.files, chosen)

    def _windows(self, clips: Sequence[Clip]) -> WindowSet:
        """Returns the windows of one clip for each trial."""
        values, files, styles, paces = [], [], [], []
        length, hop = (round(seconds * self.corpus.fps) for seconds in (self.spec.seconds, self.spec.hop))
        for trial, clip in zip(self.trials, clips, strict=True):
            frames, speed = seen_joints(clip), np.linalg.norm(trial.path.velocities()[:, :2], axis=1)
            for start in range(0, len(frames) - length + 1, hop):
                values.append(frames[start : start + length : self.spec.stride])
                files.append(trial.recording)
                styles.append(trial.path.styles[start] if trial.path.styles else "")
                paces.append(speed[start : start + length].mean())
        shape = (0, 1, len(self.corpus.encoding.skeleton), 6)
        stacked = np.stack(values).astype(np.float32) if values else np.zeros(shape, np.float32)
        return WindowSet(stacked, tuple(files), tuple(styles), np.array(paces, np.float32))

    def _alike(self, seed: int) -> Floats:
        """Returns for each held-out window one of training motion with the same style and a similar control."""
        corpus, spec, fps = self.corpus, self.spec, self.corpus.fps
        length, hop = round(spec.seconds * fps), round(spec.hop * fps)
        places: list[tuple[int, int]] = []
        labels: list[str] = []
        train = [stretch for stretch in corpus.split("train") if not stretch.again]
        for number, stretch in enumerate(train):
            starts = range(0, len(stretch) - length + 1, hop)
            places += [(number, start) for start in starts]
            labels += [stretch.style] * len(starts)
        normalize, every = corpus.control_normalizer.normalize, max(1, round(fps / 6))
        known = np.stack(
            [
                normalize(corpus.control[train[n].start + at : train[n].start + at + length : every]).ravel()
                for n, at in places
            ]
        )
        requested = np.stack(
            [
                normalize(trial.path.velocities()[start : start + length : every]).ravel()
                for trial in self.trials
                for start in range(0, len(trial.path) - length + 1, hop)
            ]
        )
        choices = np.random.default_rng([seed, 6]).integers(spec.choices, size=len(requested))
        styles, chosen = np.array(labels), []
        for style, control, choice in zip(self.held_out.styles, requested, choices, strict=True):
            among = np.flatnonzero(styles == style)
            among = among if len(among) >= spec.choices else np.arange(len(places))
            far = np.square(known[among] - control).sum(1)
            chosen.append(int(among[np.argsort(far)[min(choice, len(among) - 1)]]))
        wanted: dict[int, list[int]] = {}
        for row, place in enumerate(chosen):
            wanted.setdefault(places[place][0], []).append(row)
        values = np.zeros_like(self.held_out.values)
        for number, rows in wanted.items():
            frames = seen_joints(corpus.clip(train[number]))
            for row in rows:
                start = places[chosen[row]][1]
                values[row] = frames[start : start + length : spec.stride]
        return values


def seen_joints(clip: Clip) -> Floats:
    """Returns joint positions and velocities ``(T, J, 6)`` relative to the ground below the hips, facing +Z."""
    velocity = np.gradient(clip.world_positions, 1 / clip.fps, axis=0)
    turned = quat_rotate(heading_to_quat(-clip.headings())[:, None], velocity)
    seen: Floats = np.concatenate([body_positions(clip), turned], axis=-1).astype(np.float32)
    return seen


def parts_of_body(corpus: Corpus) -> dict[str, list[int]]:
    """Returns the joints of each part of the body that the skeleton has."""
    roles = corpus.encoding.skeleton.anatomy.roles
    found = {
        part: [joint for role, joint in roles.items() if part_of(role) in names]
        for part, names in PARTS.items()
    }
    return {part: joints for part, joints in found.items() if joints}


def _figures(truth: Floats, sampled: Floats) -> dict[str, float]:
    right = ((truth < 0).mean() + (sampled >= 0).mean()) / 2
    return {
        "auc": area_under_curve(truth, sampled),
        "accuracy": float(right),
        "windows": float(len(truth) + len(sampled)),
    }


def _estimates(by_seed: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, Estimate]]:
    names = dict.fromkeys(name for found in by_seed for name in found)
    return {name: over_seeds([found[name] for found in by_seed if name in found]) for name in names}
