"""What a model says of given motion: likelihood, strangeness, style, the spread of its samples."""
