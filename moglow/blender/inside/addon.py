"""The add-on: registration of its classes in Blender."""

import bpy

from moglow.blender.inside import live, operators, panel, pin_operators, pin_panel, rigify_panel, settings

CLASSES = (
    *settings.CLASSES,
    *operators.CLASSES,
    *pin_operators.CLASSES,
    *panel.CLASSES,
    *pin_panel.CLASSES,
    *rigify_panel.CLASSES,
)


def register() -> None:
    """Adds the panel, its buttons and its settings."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.moglow = bpy.props.PointerProperty(type=settings.MoglowSettings)
    bpy.types.Object.moglow = bpy.props.PointerProperty(type=settings.MoglowPin)
    bpy.types.WindowManager.moglow_progress = bpy.props.FloatProperty(
        default=operators.IDLE, min=operators.IDLE, max=1, options={"SKIP_SAVE"}
    )
    live.start()


def unregister() -> None:
    """Removes them."""
    live.stop()
    del bpy.types.WindowManager.moglow_progress
    del bpy.types.Object.moglow
    del bpy.types.Scene.moglow
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
