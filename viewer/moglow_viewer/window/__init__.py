"""The window of `moglow view`. Reading order: window, viewing, player, dashboard."""
