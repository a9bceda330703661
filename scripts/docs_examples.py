"""An extension of griffe: shows the examples of docstrings as code in the reference."""

import re

import griffe  # type: ignore[import-not-found, unused-ignore] # in .venv-docs alone

EXAMPLE = re.compile(r"^>>> .*\n(?:.+\n)*", re.MULTILINE)
"""A doctest: from a prompt to the next empty line."""


class Examples(griffe.Extension):  # type: ignore[misc, unused-ignore] # untyped without griffe
    """Encloses the examples of all docstrings in fences of Markdown."""

    def on_object(self, *, obj: griffe.Object, **_: object) -> None:
        """Changes the docstring of an object."""
        if obj.docstring:
            obj.docstring.value = fenced(obj.docstring.value)


def fenced(text: str) -> str:
    """Returns a docstring with its examples in fences.

    >>> fenced("One.\\n\\n>>> 1 + 1\\n2").splitlines()
    ['One.', '', '```pycon', '>>> 1 + 1', '2', '```']
    """
    return EXAMPLE.sub(r"```pycon\n\g<0>```\n", f"{text}\n").removesuffix("\n")
