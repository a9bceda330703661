"""The command line as a person calls it."""

from click.testing import CliRunner, Result

from moglow.cli.main import cli


def run(*words: object) -> Result:
    """Runs a command of moglow."""
    return CliRunner().invoke(cli, list(map(str, words)))


def fails(*words: object) -> str:
    """Runs a command that must end with an error; returns its last line."""
    done = run(*words)
    assert done.exit_code in (1, 2), done.output
    return done.stderr.strip().splitlines()[-1]
