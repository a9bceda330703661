"""A hook of mkdocs: links to files outside docs/ become text, since the site does not contain them."""

import posixpath
import re
from typing import Any

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Returns a page's text with the links that leave docs/ replaced by their words."""
    return without_links(markdown, page.file.src_uri)


def without_links(markdown: str, page: str) -> str:
    """Replaces the links of a page, named relative to docs/, that leave docs/.

    >>> without_links("[code](../moglow/errors.py) and [speed](speed.md)", "models.md")
    'code and [speed](speed.md)'
    >>> without_links("[path](../conventions.md)", "guides/animator.md")
    '[path](../conventions.md)'
    """

    def replaced(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(page), link[2]))
        return link[1] if target.startswith("..") else link[0]

    return LINK.sub(replaced, markdown)
