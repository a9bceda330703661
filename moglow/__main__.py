"""The command line as a program: `python -m moglow`, and what the console script `moglow` calls.

It imports the commands inside `main`, so that Ctrl-C at any time ends in one line.
"""


def main() -> None:
    """Runs the command line."""
    try:
        from moglow.cli.main import main as run

        run()
    except KeyboardInterrupt:
        import sys

        sys.stderr.write("error: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
