"""Takes as actions with plain names, and as strips of the NLA editor."""

import re
from typing import Any

import bpy

from moglow.blender.inside.action import activate

DRAFT = "moglow draft"
"""The name of the action of a draft, which the next take replaces."""


def take_names(name: str, count: int) -> list[str]:
    """Returns the next free names of takes: "walk take 1", "walk take 2" and so on."""
    pattern = re.compile(re.escape(f"{name} take ") + r"(\d+)")
    used = [int(found[1]) for action in bpy.data.actions if (found := pattern.fullmatch(action.name))]
    first = max(used, default=0) + 1
    return [f"{name} take {number}" for number in range(first, first + count)]


def add_strip(figure: Any, action: Any, start: int) -> None:
    """Adds a take to the NLA editor: a track and a strip with its name, muted, since the active action is shown."""
    data = figure.animation_data or figure.animation_data_create()
    track = data.nla_tracks.new()
    track.name, track.mute = action.name, True
    strip = track.strips.new(action.name, start, action)
    strip.name = action.name
    if hasattr(strip, "action_slot") and action.slots:
        strip.action_slot = action.slots[0]


def show(figure: Any, action: Any) -> None:
    """Makes a take the active action, and mutes the strips of all takes, so that nothing is added to it."""
    for track in figure.animation_data.nla_tracks if figure.animation_data else ():
        if any(strip.action == action for strip in track.strips):
            track.mute = True
    activate(figure, action)


def remove_take(figure: Any, name: str) -> None:
    """Removes the action of a take and its strips."""
    action = bpy.data.actions.get(name)
    if action is None:
        return
    for track in reversed([*figure.animation_data.nla_tracks] if figure and figure.animation_data else []):
        for strip in reversed([*track.strips]):
            if strip.action == action:
                track.strips.remove(strip)
        if not track.strips:
            figure.animation_data.nla_tracks.remove(track)
    bpy.data.actions.remove(action)
