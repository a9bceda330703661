"""The data of a view, without a window: motions, colours, figures, the camera. Needs numpy alone."""
