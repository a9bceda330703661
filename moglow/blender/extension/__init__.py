"""The entry point of the add-on. The library is in the wheel beside this file."""

from moglow.blender.inside.addon import register, unregister

__all__ = ("register", "unregister")
