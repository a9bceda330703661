"""A recipe: one TOML file with the sections data, features, context, model and training.

Each section is the frozen dataclass of the part that it configures, with the documentation of its keys. A command reads
only the sections that it needs: preprocessing reads [data] and [features], and does not import torch.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from moglow.errors import RecipeError
from moglow.files.descriptions import parse_toml, read_toml
from moglow.files.tables import from_table, suggestion

T = TypeVar("T")

SECTIONS = ("data", "features", "context", "model", "training")


@dataclass(frozen=True)
class Recipe:
    """The content of a TOML file: a table per section, empty for a missing one.

    >>> recipe = Recipe("walk.toml", {"training": {"steps": 100}}).overridden(["training.steps=7", "model.name=maf"])
    >>> recipe.tables["training"], recipe.tables["model"]
    ({'steps': 7}, {'name': 'maf'})
    """

    place: str
    tables: Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        for name, table in self.tables.items():
            if name not in SECTIONS:
                raise RecipeError(
                    f"{self.place}: no section is called [{name}]; {suggestion(name, SECTIONS)}"
                )
            if not isinstance(table, Mapping):
                raise RecipeError(f"{self.place}: {name} = … should be a section [{name}]")

    def section(self, name: str, cls: type[T]) -> T:
        """Returns a section as its dataclass; raises an error for invalid values."""
        return from_table(cls, self.tables.get(name, {}), f"{self.place}: [{name}]")

    def overridden(self, settings: Iterable[str]) -> "Recipe":
        """Returns the recipe with values from `section.key=value` settings, which are TOML, or else text."""
        tables: dict[str, Any] = _copied(self.tables)
        for setting in settings:
            path, equals, text = setting.partition("=")
            keys = [key.strip() for key in path.split(".")]
            if not equals or len(keys) < 2 or not all(keys):
                raise RecipeError(
                    f"setting {setting}: write it as section.key=value, such as training.steps=100"
                )
            table = tables
            for key in keys[:-1]:
                table = table.setdefault(key, {})
                if not isinstance(table, dict):
                    raise RecipeError(f"setting {setting}: {key!r} is a value in {self.place}, no table")
            table[keys[-1]] = _value(text.strip())
        return replace(self, tables=tables)


def read_recipe(path: str | Path, settings: Iterable[str] = ()) -> Recipe:
    """Returns the recipe of a TOML file, with values replaced by `section.key=value` settings."""
    return Recipe(str(path), read_toml(path, RecipeError)).overridden(settings)


def _value(text: str) -> Any:
    """Returns a value, parsed as TOML; invalid TOML is text, so that names need no quotes."""
    try:
        table = parse_toml(f"value = {text}", "a setting", RecipeError)
    except RecipeError:
        return text
    return table["value"] if len(table) == 1 else text


def _copied(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _copied(value) if isinstance(value, Mapping) else value for key, value in table.items()}
