"""Steering a figure in a window or on a page.

Reading order: live, play_window, recording, gamepad; play_page and packed_model for the page, whose HTML, CSS and
JavaScript files are in `browser`.
"""
