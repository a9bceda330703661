"""What commands do and show while they work; each file serves the command of its name."""
