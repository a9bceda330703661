"""The pictures of docs/concepts.md: each concept has one, and the script draws it again."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from scripts import draw_concepts

DOCS = Path(draw_concepts.__file__).resolve().parents[1] / "docs"


@pytest.mark.parametrize("name", [draw.__name__ for draw in draw_concepts.CONCEPTS])
def test_each_concept_has_a_section_with_a_small_picture(name: str) -> None:
    _, _, section = (DOCS / "concepts.md").read_text("utf-8").partition(f"## {name.title()}\n")
    assert f"(concepts/{name}.svg)" in section.partition("\n## ")[0]
    assert (DOCS / f"concepts/{name}.svg").stat().st_size < 100_000


@pytest.mark.parametrize("draw", [draw_concepts.path, draw_concepts.damage, draw_concepts.encoding])
def test_the_pictures_are_drawn_again(draw: draw_concepts.Draw) -> None:
    made, kept = draw(), (DOCS / f"concepts/{draw.__name__}.svg").read_text("utf-8")
    assert words(made) == words(kept)
    assert made.count("<") == kept.count("<")


def words(svg: str) -> list[str]:
    """Returns the texts of a picture."""
    return [each.text or "" for each in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
