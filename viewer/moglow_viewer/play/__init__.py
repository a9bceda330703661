"""Steering a figure in a window or on a page. `browser` holds the JavaScript, CSS and HTML of the page."""
