"""moglow in Blender: the door by which Blender enters. What is behind it comes in the wheel beside this file."""

from moglow.blender.inside.addon import register, unregister

__all__ = ("register", "unregister")
