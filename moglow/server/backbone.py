"""Answers requests of the Motion Model Context Protocol with motion. Needs motionmcp-sdk[server].

Paths, poses and points for joints are supported, on the model's figure or retargeted onto the client's. The prompt of a
text segment selects a style by name. Other requests are answered with an error object of the protocol.
"""

import asyncio
import re
import threading
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from fastapi import HTTPException
from motionmcp import Backbone, GenerateRequest, ModelSpec, MotionResult
from motionmcp.backbone import Limits
from motionmcp.errors import ProtocolError
from motionmcp.schemas import Skeleton as WireSkeleton
from motionmcp.server import build_app
from starlette.exceptions import HTTPException as StarletteError

from moglow.checkpoint import Checkpoint
from moglow.directing.pinned import Directing
from moglow.errors import MoglowError, SkeletonError
from moglow.maths.rotations import IDENTITY
from moglow.motion.clip import Clip
from moglow.motion.clip_stream import joined
from moglow.motion.retarget import retarget
from moglow.paths.control_path import ControlPath
from moglow.sampling.generate import TEMPERATURE, motions
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import refuse_impossible
from moglow.server.guard import Guard
from moglow.server.keys import Asked, Keys
from moglow.server.requests import ClientRig, check_size, named, path_of, rigid, style_of

MODEL = "moglow"
SHORTEST = 2  # frames at the model's rate
TRIES = 3  # motions that are made to bring the client's joints to their targets


class MoglowBackbone(Backbone):  # type: ignore[misc, unused-ignore] # untyped where the extra is missing
    """Answers requests with one model; at most ``workers`` requests are computed at once, others wait."""

    model_id = MODEL

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        temperature: float = TEMPERATURE,
        seconds: float = 60.0,
        workers: int = 2,
    ) -> None:
        self.checkpoint = checkpoint
        self.sampler = Sampler.of(checkpoint, temperature=temperature, device="cpu")
        self.seconds = seconds
        self._directing = Directing(checkpoint, temperature)
        self._room = threading.Semaphore(workers)
        self._spec = ModelSpec(
            id=MODEL,
            fps=self.sampler.fps,
            canonical_skeleton=WireSkeleton.model_validate(
                {"joints": ClientRig.from_skeleton(self._skeleton).joints()}
            ),
            supports_retargeting=True,
            supports_segment_seed=False,
            supported_constraints=["root_path", "pose_keyframe", "effector_target"],
            predicted_contact_joints=[],
            native_clip_seconds=seconds,
            recommended_max_duration_seconds=seconds,
            limits=Limits(max_duration_seconds=seconds, max_num_samples=16, max_request_bytes=1_048_576),
        )

    @property
    def _skeleton(self) -> Any:
        return self.checkpoint.context.encoding.skeleton

    def capabilities(self) -> ModelSpec:
        """Returns the model's description for clients."""
        return self._spec

    async def generate(self, request: GenerateRequest) -> MotionResult:
        """Returns the motion of a request, computed in another thread than the server's."""
        return await asyncio.to_thread(self._waiting, request)

    def _waiting(self, request: GenerateRequest) -> MotionResult:
        with self._room:
            try:
                return self._answer(request)
            except MoglowError as error:
                raise ProtocolError("invalid_options", str(error), _named(str(error))) from error
            except (ArithmeticError, ValueError, LookupError, TypeError, MemoryError) as error:
                raise ProtocolError("internal_error", f"{type(error).__name__}: {error}"[:300]) from error

    def _answer(self, request: GenerateRequest) -> MotionResult:
        options, fps = request.options, request.fps(self._spec.fps)
        if not 1 <= fps <= 240:
            raise ProtocolError("invalid_options", f"timing.fps is {fps:g}; expected 1 to 240")
        if options is not None and options.loop:
            raise ProtocolError("invalid_options", "loop is not supported; leave it out")
        samples = options.num_samples if options is not None else 1
        rig, frames = ClientRig.of(request.skeleton.joints), request.total_frames
        if not rig.skeleton.anatomy.legs:
            raise SkeletonError(
                "skeleton: no leg was found (hip, knee and ankle in one chain); send the skeleton of a humanoid"
            )
        check_size(frames, len(rig.skeleton), samples)
        keys = Keys.of(named(request.constraints), rig)
        requested, defaults = path_of(
            frames,
            fps,
            [each for each in request.constraints if each.type == "root_path"],
            keys.roots(),
            keys.headings(rig),
        )
        styles, messages = self._styles(request)
        path = self._at_our_rate(replace(requested, styles=styles), frames, fps)
        seed = options.seed if options is not None else None
        seed = int(np.random.default_rng().integers(2**31)) if seed is None else seed
        tracks = [Track(path, seed % 2**32, number) for number in range(samples)]
        figure = _Client(rig, _same_bones(rig, self._skeleton), frames, fps)
        plain = [
            figure.wears(joined(motion.blocks)) for motion in motions(self.sampler, self.checkpoint, tracks)
        ]
        clips, prices = plain, list[str]()
        if keys:
            directed = [
                self._directed(figure, keys, clip, track, samples)
                for clip, track in zip(plain, tracks, strict=True)
            ]
            clips, prices = [clip for clip, _ in directed], directed[0][1]
        local = [rig.local(clip) for clip in clips]
        notes = [
            {"code": "default", "severity": "info", "message": f"not in the request, default used: {default}"}
            for default in defaults
        ]
        notes += [{"code": "style", "severity": "info", "message": line} for line in messages]
        notes += [{"code": "price", "severity": "info", "message": line} for line in prices]
        notes += [{"code": "speed", "severity": "warning", "message": line} for line in self._beyond(path)]
        return MotionResult(
            rotations=np.stack([rotations for rotations, _ in local]).astype(np.float32),
            root_translations=np.stack([places for _, places in local]).astype(np.float32),
            notes=notes,
            trajectories=None if frames > 1 else [None] * samples,  # the library needs two frames to find one
        )

    def _directed(
        self, figure: "_Client", keys: Keys, plain: Clip, track: Track, samples: int
    ) -> tuple[Clip, list[str]]:
        """Returns motion that meets keys, and the prices of its poses; ``plain`` is the motion without them.

        The model's figure has other proportions than the client's. If a joint of the client's stays away from its
        target, the point for the model's figure is moved by the difference, and the motion is made again.
        """
        asked = Asked.of(keys, figure.rig, plain, self._skeleton, figure.same, samples)
        for _ in range(TRIES):
            draft = self._directing.draft(track, asked.directions)
            made = self._directing.finished(draft, asked.directions)
            refuse_impossible(made.clip)
            clip = asked.met(figure.wears(made.clip))
            misses = asked.misses(clip)
            if not misses:
                break
            asked = asked.nearer(misses)
        asked.refuse_missed(clip)
        return clip, [str(price) for price in made.prices]

    def _styles(self, request: GenerateRequest) -> tuple[tuple[str, ...] | None, list[str]]:
        """Returns a style for each frame of the request, and a message for each prompt."""
        known = tuple(self.checkpoint.context.styles)
        styles: list[str] = []
        messages = []
        for segment in request.segments:
            style = style_of(segment.prompt, known) if segment.type == "text" else None
            if segment.type == "text":
                meaning = (
                    f"style {style}" if style else f"names no style of {', '.join(known) or 'the model'}"
                )
                messages.append(f"{segment.prompt[:80]!r}: {meaning}")
            styles += [style or ""] * segment.duration_frames
        return (tuple(styles) if any(styles) else None), messages

    def _at_our_rate(self, path: ControlPath, frames: int, fps: float) -> ControlPath:
        """Returns the path at the model's frame rate, long enough to cover all frames of the request."""
        ours = self.sampler.fps
        count = max(SHORTEST, int(np.ceil((frames - 1) / fps * ours)) + 1)
        at = np.minimum(np.arange(count) * fps / ours, frames - 1)
        here = np.arange(frames)
        positions = np.stack([np.interp(at, here, path.positions[:, axis]) for axis in range(2)], axis=-1)
        styles = None if path.styles is None else tuple(path.styles[int(k)] for k in np.round(at))
        return ControlPath(positions, np.interp(at, here, path.headings), ours, styles)

    def _beyond(self, path: ControlPath) -> list[str]:
        """Returns warnings about speeds outside the range of the recordings."""
        return [*self.checkpoint.control_range.warnings(path)]


def app_of(backbone: MoglowBackbone) -> Any:
    """Returns the web application of a backbone."""
    app = build_app(backbone, title="moglow")
    # Unknown addresses and methods are errors of the protocol, too.
    app.add_exception_handler(StarletteError, app.exception_handlers[HTTPException])
    app.add_middleware(Guard)
    return app


@dataclass(frozen=True, eq=False)
class _Client:
    """The client's figure, and the frames of its request."""

    rig: ClientRig
    same: bool
    """Whether it is the model's figure."""
    frames: int
    fps: float

    def wears(self, clip: Clip) -> Clip:
        """Returns motion of the model's figure on the client's, with the request's frame rate and length."""
        skeleton = self.rig.skeleton
        moved = replace(clip, skeleton=skeleton) if self.same else retarget(clip, skeleton, keep_path=True)
        at = np.minimum(np.arange(self.frames) * moved.fps / self.fps, len(moved) - 1)
        return rigid(moved[: self.frames] if self.fps == moved.fps else moved.sampled(at, self.fps))


def _named(message: str) -> dict[str, Any]:
    """Returns the number of the constraint that a message names, as details of an error."""
    found = re.match(r"constraints\[(\d+)\]", message)
    return {"constraint": int(found[1])} if found else {}


def _same_bones(rig: ClientRig, ours: Any) -> bool:
    """Returns whether a rig has the joints and bones of the model's figure."""
    identity = np.abs(rig.rest - IDENTITY).max() < 1e-6
    return bool(
        identity
        and (rig.skeleton.names, rig.skeleton.parents) == (ours.names, ours.parents)
        and np.abs(rig.skeleton.offsets[1:] - ours.offsets[1:]).max() < 1e-4
    )
