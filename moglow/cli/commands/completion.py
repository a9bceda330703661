"""`moglow completion`: prints the script for completion with Tab in a shell."""

import click
from click.shell_completion import get_completion_class

EXAMPLE = """\b
Examples:
  moglow completion bash > ~/.local/share/bash-completion/completions/moglow
  moglow completion zsh > ~/.zfunc/_moglow
  moglow completion fish > ~/.config/fish/completions/moglow.fish
"""


@click.command(epilog=EXAMPLE)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Prints a script that lets a shell complete commands, options and files.

    bash reads it from the folder in the example (with the package bash-completion), zsh from a folder in fpath, fish
    from its own.
    """
    from moglow.cli.main import cli

    make = get_completion_class(shell)
    assert make is not None, f"click completes no words for {shell}"
    click.echo(make(cli, {}, "moglow", "_MOGLOW_COMPLETE").source())
