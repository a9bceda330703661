"""The clock of a player: motion follows the wall clock, so that frames may drop but time does not slow down.

A `Player` is a value; its methods take the wall-clock time and return another player.
"""

from dataclasses import dataclass, replace

SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Player:
    """The state of a player: the motion was at ``time`` at the wall-clock time ``since``, None while it is paused.

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
        """Returns the time of the motion in seconds; in a loop the last frame is shown as long as the others."""
        if self.since is None:
            return self.time
        time = self.time + (now - self.since) * self.speed
        return min(time % (self.duration + 1 / self.fps) if self.loop else time, self.duration)

    def frame(self, now: float) -> int:
        """Returns the current frame, counted from 0."""
        return min(int(self.shown(now) * self.fps + 1e-4), self.frames - 1)

    def ticked(self, now: float) -> "Player":
        """Returns the player, paused if it has reached the end."""
        over = self.playing and not self.loop and self.shown(now) >= self.duration
        return replace(self, time=self.duration, since=None) if over else self

    def toggled(self, now: float) -> "Player":
        """Returns the player paused, on a whole frame, or playing; from the end it starts again."""
        if self.playing:
            return replace(self, time=self.frame(now) / self.fps, since=None)
        start = 0.0 if self.time >= self.duration - 1e-6 else self.time
        return replace(self, time=start, since=now) if self.frames > 1 else self

    def sought(self, now: float, time: float) -> "Player":
        """Returns the player at another time, playing or paused as before."""
        time = min(max(time, 0.0), self.duration)
        return replace(self, time=time, since=now if self.playing else None)

    def stepped(self, now: float, frames: int) -> "Player":
        """Returns the player paused a number of frames later."""
        to = min(max(self.frame(now) + frames, 0), self.frames - 1)
        return replace(self, time=to / self.fps, since=None)

    def faster(self, now: float, steps: int) -> "Player":
        """Returns the player at a speed a number of steps up or down in `SPEEDS`."""
        place = min(max(SPEEDS.index(self.speed) + steps, 0), len(SPEEDS) - 1)
        return replace(self.sought(now, self.shown(now)), speed=SPEEDS[place])

    def looped(self, now: float) -> "Player":
        """Returns the player with the loop turned on or off."""
        return replace(self.sought(now, self.shown(now)), loop=not self.loop)

    def of(self, duration: float, fps: float, now: float) -> "Player":
        """Returns the player for another motion."""
        there = replace(self.sought(now, self.shown(now)), duration=duration, fps=fps)
        return there.sought(now, there.time)
