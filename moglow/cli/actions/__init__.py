"""The work and the output of the commands; each file belongs to the command of the same name."""
