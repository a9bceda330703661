"""The command line: `main` is the group, every other file is one command of it."""
