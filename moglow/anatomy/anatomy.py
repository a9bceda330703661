"""Finds the partners, roles and legs of a skeleton's joints without configuration. Needs numpy alone.

Names have priority (`joint_names`), then symmetry (`partners`) and proportions (`limbs`, `body`); a map file overrides
any of them. Each result has a confidence from 0 to 1: 1 for a value of the user, at least 0.9 for a clear name, about
0.5 for shape alone, and 0.2 for a guess that should be confirmed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

import numpy as np

from moglow.anatomy.body import SIDES, find_limbs, limb_roles, middle_roles
from moglow.anatomy.joint_names import read_name
from moglow.anatomy.limbs import ARM, FORE_LEG, LEG, BodyTree, Kind
from moglow.anatomy.partners import find_partners
from moglow.errors import RecipeError, SkeletonError
from moglow.files.descriptions import read_toml
from moglow.maths.rotations import Array

MIDDLE = ("hips", "spine", "chest", "neck", "head")
ROLES = (*MIDDLE, *(f"{s}_{k.prefix}{p}" for s in SIDES for k in (ARM, LEG, FORE_LEG) for p in k.parts))


@dataclass(frozen=True)
class Leg:
    """The joint numbers of one leg: hip, knee, ankle, and the toe joint or None."""

    side: str
    hip: int
    knee: int
    ankle: int
    toe: int | None
    front: bool = False


@dataclass(frozen=True)
class Anatomy:
    """The partners, roles and legs of a skeleton, with confidences.

    A joint on the mid-line is its own partner. Legs are in order: hind before fore, left before right. Confidences are
    by role; the key ``partners`` has that of all partners.
    """

    partners: tuple[int, ...]
    roles: Mapping[str, int]
    legs: tuple[Leg, ...]
    confidence: Mapping[str, float]


def find_anatomy(
    names: Sequence[str],
    parents: Sequence[int],
    rest: Array,
    overrides: Mapping[str, str] = MappingProxyType({}),
) -> Anatomy:
    """Returns partners and roles, from names, the tree and the rest positions ``(J, 3)``.

    ``overrides`` maps a role to a joint (or to "" if there is none), or a joint to its partner.

    >>> names = ("Hips", "Thigh_L", "Shin_L", "Foot_L", "Thigh_R", "Shin_R", "Foot_R")
    >>> rest = [[0, 9, 0], [1, 9, 0], [1, 5, 0], [1, 1, 0], [-1, 9, 0], [-1, 5, 0], [-1, 1, 0]]
    >>> anatomy = find_anatomy(names, (-1, 0, 1, 2, 0, 4, 5), rest)
    >>> anatomy.roles["right_shin"], anatomy.partners
    (5, (0, 4, 5, 6, 1, 2, 3))
    """
    rest = np.asarray(rest, float)
    shape = (rest - rest[:1]).tobytes()
    return _find_anatomy(tuple(names), tuple(parents), shape, tuple(overrides.items()))


@lru_cache(maxsize=64)  # the files of a folder mostly share their skeleton
def _find_anatomy(
    names: tuple[str, ...], parents: tuple[int, ...], shape: bytes, overrides: tuple[tuple[str, str], ...]
) -> Anatomy:
    rest = np.frombuffer(shape).reshape(-1, 3)
    user = _Overrides.read(dict(overrides), names)
    words = [read_name(name) for name in names]
    partners, sure = find_partners(words, parents, rest)
    for a, b in user.partners:
        for j in (a, b):
            partners[partners[j]] = partners[j]
        partners[a], partners[b], sure[a], sure[b] = b, a, 1.0, 1.0
    body = BodyTree(parents, rest, words, partners, sure)
    limbs = find_limbs(body, {kind: user.parts(kind) for kind in (LEG, ARM, FORE_LEG)})
    found: dict[str, tuple[int | None, float]] = {**limb_roles(body, limbs), **middle_roles(body, limbs)}
    for role, joint in user.roles.items():
        found[role] = joint, 1.0
        twin = _other_side(role)
        if joint is not None and twin not in user.roles and partners[joint] != joint:
            found[twin] = partners[joint], 1.0
    paired = [sure[j] for j, partner in enumerate(partners) if partner != j]
    confidence = {role: found[role][1] for role in ROLES if role in found}
    confidence["partners"] = float(np.mean(paired)) if paired else 0.0
    roles = {role: joint for role in ROLES if (joint := found.get(role, (None, 0))[0]) is not None}
    return Anatomy(
        tuple(partners),
        MappingProxyType(roles),
        _legs(roles, rest),
        MappingProxyType({key: round(float(value), 2) for key, value in confidence.items()}),
    )


def part_of(role: str) -> str:
    """Returns the part of the body of a role, without the side and without ``front_``.

    >>> part_of("left_front_thigh"), part_of("right_hand"), part_of("hips")
    ('thigh', 'hand', 'hips')
    """
    return role.removeprefix("left_").removeprefix("right_").removeprefix("front_")


def _other_side(role: str) -> str:
    left, right = SIDES
    return role.replace(left, right) if role.startswith(left) else role.replace(right, left)


def _legs(roles: Mapping[str, int], rest: Array) -> tuple[Leg, ...]:
    """Returns the legs with a hip, a knee and an ankle that are not all at one place."""
    legs = []
    for kind in (LEG, FORE_LEG):
        for side in SIDES:
            thigh, shin, foot, toe = (roles.get(f"{side}_{kind.prefix}{part}") for part in LEG.parts)
            if thigh is None or shin is None or foot is None:
                continue
            if np.ptp(rest[[thigh, shin, foot]], axis=0).any():
                legs.append(Leg(side, thigh, shin, foot, toe, kind is FORE_LEG))
    return tuple(legs)


@dataclass(frozen=True)
class _Overrides:
    """The user's roles (None for a role without a joint) and pairs of partners."""

    roles: Mapping[str, int | None]
    partners: Sequence[tuple[int, int]]

    @classmethod
    def read(cls, overrides: Mapping[str, str], names: Sequence[str]) -> "_Overrides":
        def joint(name: str) -> int:
            if name not in names:
                raise SkeletonError(f"map: the skeleton has no joint {name!r}; {_nearest(name, names)}")
            return names.index(name)

        roles = {key: joint(name) if name else None for key, name in overrides.items() if key in ROLES}
        partners = [(joint(key), joint(name)) for key, name in overrides.items() if key not in ROLES]
        for role, left in roles.items():
            right = roles.get(_other_side(role))
            if role.startswith("left") and left is not None and right is not None:
                partners.append((left, right))
        return cls(roles, partners)

    def parts(self, kind: Kind) -> dict[str, int]:
        """Returns the user's joints for a kind of limb, by part."""
        roles = {
            (side, part): self.roles.get(f"{side}_{kind.prefix}{part}")
            for part in kind.parts
            for side in SIDES
        }
        return {part: joint for (_, part), joint in roles.items() if joint is not None}


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1, cutoff=0.4)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known[:8])} …"


def read_map(path: str | Path) -> dict[str, str]:
    """Reads a map file: a table ``[roles]`` (role = joint) and a table ``[partners]`` (joint = joint)."""
    tables = read_toml(path, RecipeError)
    for table, entries in tables.items():
        if table not in ("roles", "partners") or not isinstance(entries, dict):
            raise RecipeError(f"{path}: a map file has the tables [roles] and [partners], found {table!r}")
        for key, value in entries.items():
            if not isinstance(value, str):
                raise RecipeError(
                    f"{path}: [{table}] {key} must be a joint's name in quotes, found {value!r}"
                )
    for role in tables.get("roles", {}):
        if role not in ROLES:
            raise RecipeError(f"{path}: {role!r} is no role; {_nearest(role, ROLES)}")
    return {**tables.get("partners", {}), **tables.get("roles", {})}
