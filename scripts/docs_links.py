"""A hook of mkdocs: replaces links to files outside docs/ by text, since the site does not contain these files."""

import posixpath
import re
from typing import Any

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Returns the text of a page without its links to files outside docs/."""
    return without_links(markdown, page.file.src_uri)


def without_links(markdown: str, page: str) -> str:
    """Returns Markdown in which links to files outside docs/ are replaced by their text; ``page`` is relative to docs/.

    >>> without_links("[code](../moglow/errors.py) and [speed](speed.md)", "models.md")
    'code and [speed](speed.md)'
    >>> without_links("[path](../conventions.md)", "guides/animator.md")
    '[path](../conventions.md)'
    """

    def replaced(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link[2]))
        return link[1] if target.startswith("..") else link[0]

    return LINK.sub(replaced, markdown)
