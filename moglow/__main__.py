"""`python -m moglow`: the command line, for where the `moglow` script is not on the path."""

from moglow.cli.main import main

if __name__ == "__main__":
    main()
