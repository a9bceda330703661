"""The options of `moglow generate` for feet: footprints to follow or to write, and a ground.

What makes such motion is imported when it is needed, since most motion has no such options.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moglow.checkpoint import Checkpoint
from moglow.errors import ControlError, MoglowError
from moglow.files.atomic import file_digest, refuse_overwriting
from moglow.motion.clip import Clip
from moglow.motion.skeleton import Skeleton
from moglow.paths.control_path import ControlPath
from moglow.sampling.sampler import Sampler, Track
from moglow.sampling.sanity import refuse_impossible

if TYPE_CHECKING:
    from moglow.footsteps.footprints import Footprints
    from moglow.ground.surface import Ground
    from moglow.takes.footed import Footed


@dataclass(frozen=True)
class Footwork:
    """The options of `moglow generate` for feet: a ground, a file of footprints to follow, and one to write."""

    ground: str | None = None
    follow: Path | None = None
    write: Path | None = None

    def __bool__(self) -> bool:
        return bool(self.ground or self.follow or self.write)

    def check(
        self,
        *,
        motions: int,
        loop: bool,
        mirror: bool,
        foot_lock: bool,
        inputs: Sequence[object],
        overwrite: bool = False,
    ) -> None:
        """Raises an error for options that exclude each other.

        Footprints are written over a file of another kind only with ``overwrite``.
        """
        for name, given in (("ground", self.ground), ("requested footprints", self.follow)):
            if given and loop:
                raise MoglowError(f"{name}: a loop stands on a flat floor; leave out the loop or the {name}")
            if given and mirror:
                raise MoglowError(
                    f"{name}: not with a mirror image, which would mirror the {name}; leave out one of them"
                )
            if given and not foot_lock:
                raise MoglowError(f"{name}: feet must be held; keep the foot lock")
        if self.write and loop:
            raise MoglowError(
                "footprints: a loop has no last one; leave out the loop or the file of footprints"
            )
        if self.write and motions > 1:
            raise MoglowError(
                f"{self.write}: one file of footprints for {motions} motions; generate one motion"
            )
        if self.write:
            files = [each for each in (*inputs, self.follow) if isinstance(each, str | Path)]
            refuse_overwriting(self.write, files)
            from moglow.footsteps.files import has_footprints

            if not overwrite and self.write.exists() and not has_footprints(self.write):
                raise ControlError(
                    f"{self.write}: is no file of footprints; give another name, or replace it",
                    setting="overwrite",
                )
        if self.follow and not self.follow.is_file():
            raise ControlError(f"{self.follow}: cannot be read; give a file of footprints")
        if self.ground:
            from moglow.ground.reading import read_ground

            read_ground(self.ground)

    @property
    def settings(self) -> dict[str, Any]:
        """Returns the options that determine a motion, as plain values; empty without any."""
        if not self:
            return {}
        ground = self.surface()
        return {
            "ground": self.ground,
            "ground_sha256": ground.digest.hex() if ground and ground.digest else None,
            "footprints_in": self.follow and str(self.follow),
            "footprints_in_sha256": self.follow and file_digest(self.follow),
            "footprints": self.write and str(self.write),
        }

    def path(self, control: str, model: Checkpoint) -> ControlPath | None:
        """Returns the path implied by the footprints, if there is no other path, or None."""
        if self.follow is None or control != str(self.follow):
            return None
        from moglow.footsteps.files import read_footprints
        from moglow.footsteps.footprints import foot_names
        from moglow.footsteps.implied import implied_path

        skeleton = model.context.encoding.skeleton
        return implied_path(read_footprints(self.follow, foot_names(skeleton)), skeleton, model.context.fps)

    def made(
        self,
        sampler: Sampler,
        model: Checkpoint,
        track: Track,
        rig: Clip | None,
        *,
        foot_lock: bool,
        implied: bool,
    ) -> "Footed":
        """Makes a motion, and writes its footprints if requested."""
        from moglow.takes.footed import footed

        requested = self.requested(rig.skeleton if rig else model.context.encoding.skeleton)
        ground = self.surface()
        done = footed(sampler, model, track, requested, ground, rig, foot_lock=foot_lock, implied=implied)
        refuse_impossible(done.clip)
        self.written(done.clip, done.prints)
        return done

    def requested(self, skeleton: Skeleton) -> "Footprints | None":
        """Returns the requested footprints of a figure, if there are any."""
        if self.follow is None:
            return None
        from moglow.footsteps.files import read_footprints
        from moglow.footsteps.footprints import foot_names

        return read_footprints(self.follow, foot_names(skeleton))

    def surface(self) -> "Ground | None":
        """Returns the ground, if there is one."""
        if self.ground is None:
            return None
        from moglow.ground.reading import read_ground

        return read_ground(self.ground)

    def written(self, clip: Clip, prints: "Footprints" = ()) -> None:
        """Writes the footprints of a motion if requested; they are found if they are not given."""
        if self.write is None:
            return
        from moglow.footsteps.files import write_footprints
        from moglow.footsteps.footprints import foot_names, footprints

        self.write.parent.mkdir(parents=True, exist_ok=True)
        write_footprints(prints or footprints(clip), foot_names(clip.skeleton), self.write)
