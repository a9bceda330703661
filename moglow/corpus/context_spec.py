"""The settings of the context: its frames, its labels and their defaults. Needs numpy alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from moglow.errors import RecipeError
from moglow.files.tables import suggestion

MOST_FRAMES = 1000  # of history and of lookahead


@dataclass(frozen=True)
class ContextSpec:
    """The settings of the context; the recipe's [context]. The defaults are those of the paper."""

    history: int = 10  # K past poses and as many past controls
    lookahead: int = 0  # L controls after the current one; each adds a frame of latency in live control
    flags: bool = False  # whether the context indicates the past poses that data dropout hides
    carry: Mapping[str, float] = field(default_factory=dict)
    """Weight by channel group of the previous pose, moved with the control, which is subtracted from the target.

    At 1 the target of a planted foot is zero; below 1 the pose is pulled to the mean, so that errors decay. Groups that
    are not named have the weight of `others`, by default 0: the target is then the pose itself, as in the paper.
    """

    momentum: Mapping[str, float] = field(default_factory=dict)
    """Weight by channel group of the last change of the pose, which is also subtracted from the target.

    It is multiplied by how much successive changes of a channel correlate in the training data, so that the target is
    what the last velocity does not predict. Without it a model has to recognise small velocities in large poses, with
    errors as large as the velocities. The groups that the path's step moves cannot have it. The other channels of feet
    are better without it, since feet land and leave within a frame.
    """

    styles: bool = True  # whether the context contains the style, one-hot; the paper has no styles
    performers: bool = False  # whether the context contains the performer, one-hot
    performer: str = ""  # the default performer; empty for any performer
    performer_by_style: Mapping[str, str] = field(default_factory=dict)
    """Default performer of single styles; the other styles have `performer`."""

    usual: str = ""  # the default style; empty for any style
    sideways: str = ""  # the default style or performer of paths that go sideways, or backwards for long

    def __post_init__(self) -> None:
        if self.history < 1 or self.lookahead < 0:
            raise ValueError(
                f"history {self.history}, lookahead {self.lookahead}: give at least 1 and 0 frames"
            )
        if max(self.history, self.lookahead) > MOST_FRAMES:
            raise ValueError(
                f"history {self.history}, lookahead {self.lookahead}: give at most {MOST_FRAMES} frames of each"
            )
        for name, weights in (("carry", self.carry), ("momentum", self.momentum)):
            for group, weight in weights.items():
                if not 0 <= weight <= 1:
                    raise ValueError(f"{name} {group} is {weight}; a weight lies between 0 and 1")
        if self.momentum and self.history < 2:
            raise ValueError("history is 1; momentum needs at least 2 past poses")


def refuse_unknown(spec: ContextSpec, styles: Sequence[str], performers: Sequence[str]) -> None:
    """Raises `RecipeError` if a default label is not among the styles or performers."""
    for name, labels in (
        ("usual", styles),
        ("sideways", (*styles, *performers)),
        ("performer", performers),
    ):
        if (label := getattr(spec, name)) and label not in labels:
            kind = {"usual": "style", "sideways": "style or performer"}.get(name, name)
            raise RecipeError(f"[context] {name}: no {kind} {label!r}; {suggestion(label, labels)}")
    for style, performer in spec.performer_by_style.items():
        for kind, label, labels in (("style", style, styles), ("performer", performer, performers)):
            if label not in labels:
                raise RecipeError(
                    f"[context] performer_by_style: no {kind} {label!r}; {suggestion(label, labels)}"
                )
