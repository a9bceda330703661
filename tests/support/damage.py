"""Descriptions with one error: a key that is missing, null, foreign, of another type or of another size."""

import copy
import json
from collections.abc import Iterator
from typing import Any

WRONG: tuple[Any, ...] = (None, "x", -1, 10**30, float("nan"), True, [], {}, [[]], [None], {"x": 1})


def places(table: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yields the way to each value: all keys of tables, the first and the last item of lists."""
    if isinstance(table, dict):
        keys: list[Any] = list(table)
    elif isinstance(table, list):
        keys = sorted({0, len(table) - 1}) if table else []
    else:
        return
    for key in keys:
        yield (*path, key)
        yield from places(table[key], (*path, key))


def damaged(table: Any) -> Iterator[tuple[str, Any]]:
    """Yields what is wrong in words, and the table with it."""
    for path in places(table):
        for wrong in WRONG:
            changed = copy.deepcopy(table)
            parent = _parent(changed, path)
            if type(parent[path[-1]]) is not type(wrong) or parent[path[-1]] != wrong:
                parent[path[-1]] = wrong
                yield f"{_words(path)} = {json.dumps(wrong)[:12]}", changed
        changed = copy.deepcopy(table)
        del _parent(changed, path)[path[-1]]
        yield f"no {_words(path)}", changed
    for path in ((), *places(table)):
        changed = copy.deepcopy(table)
        value = _parent(changed, (*path, None))
        if isinstance(value, dict):
            value["foreign"] = 1
            yield f"{_words(path)} with a foreign key", changed


def _parent(table: Any, path: tuple[Any, ...]) -> Any:
    for key in path[:-1]:
        table = table[key]
    return table


def _words(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))
