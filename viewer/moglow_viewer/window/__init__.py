"""The window of `moglow view`."""
