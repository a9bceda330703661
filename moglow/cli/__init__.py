"""The command line: `main` defines the group, `commands` the commands and `actions` what they do."""
