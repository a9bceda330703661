"""The clock of a player: motion goes by the wall clock, so frames may drop but time never slows.

A `Player` is a value; what changes it returns another one. Each is told what time it is on the wall.
"""

from dataclasses import dataclass, replace

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Player:
    """What is shown when: ``time`` is where motion stood at ``since`` on the wall, or stands where that is None.

    >>> player = Player(duration=2.0, fps=30.0).toggled(now=100.0)
    >>> player.shown(100.5), player.shown(102.5) < 0.5, player.faster(100.5, 1).shown(101.0)
    (0.5, True, 1.5)
    """

    duration: float
    fps: float
    time: float = 0.0
    since: float | None = None
    speed: float = 1.0
    loop: bool = True

    @property
    def playing(self) -> bool:
        return self.since is not None

    @property
    def frames(self) -> int:
        return int(self.duration * self.fps + 1e-4) + 1

    def shown(self, now: float) -> float:
        """The time of the motion, in seconds; in a loop the last frame lasts as long as the others."""
        if self.since is None:
            return self.time
        time = self.time + (now - self.since) * self.speed
        return min(time % (self.duration + 1 / self.fps) if self.loop else time, self.duration)

    def frame(self, now: float) -> int:
        """The frame that is shown, counted from 0."""
        return min(int(self.shown(now) * self.fps + 1e-4), self.frames - 1)

    def ticked(self, now: float) -> "Player":
        """The same, or standing where there is no more to play."""
        over = self.playing and not self.loop and self.shown(now) >= self.duration
        return replace(self, time=self.duration, since=None) if over else self

    def toggled(self, now: float) -> "Player":
        """Playing or not; at the end it begins anew, and it stops on a whole frame."""
        if self.playing:
            return replace(self, time=self.frame(now) / self.fps, since=None)
        start = 0.0 if self.time >= self.duration - 1e-6 else self.time
        return replace(self, time=start, since=now) if self.frames > 1 else self

    def sought(self, now: float, time: float) -> "Player":
        """Somewhere else, playing if it did."""
        time = min(max(time, 0.0), self.duration)
        return replace(self, time=time, since=now if self.playing else None)

    def stepped(self, now: float, frames: int) -> "Player":
        """Standing so many frames later."""
        to = min(max(self.frame(now) + frames, 0), self.frames - 1)
        return replace(self, time=to / self.fps, since=None)

    def faster(self, now: float, steps: int) -> "Player":
        """At a speed so many steps up or down the list."""
        place = min(max(SPEEDS.index(self.speed) + steps, 0), len(SPEEDS) - 1)
        return replace(self.sought(now, self.shown(now)), speed=SPEEDS[place])

    def looped(self, now: float) -> "Player":
        """With the loop turned on or off."""
        return replace(self.sought(now, self.shown(now)), loop=not self.loop)

    def of(self, duration: float, fps: float, now: float) -> "Player":
        """The same for other motion."""
        there = replace(self.sought(now, self.shown(now)), duration=duration, fps=fps)
        return there.sought(now, there.time)
