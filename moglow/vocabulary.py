"""What the names of joints mean, in the common rigs: side, body part, fore or hind. Floor 1; no imports of ours.

CMU, Bandai, SNU, Mixamo, Rigify, Unreal, Xsens, 3ds Max Biped, SMPL, ASF and MMD names are read by one rule: cut the
name into words, take out the words of side and the prefixes of tools, look the rest up.
"""

import re
from dataclasses import dataclass

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")
_SIDES = {"left": "left", "l": "left", "lft": "left", "right": "right", "r": "right", "rgt": "right"}
_PREFIXES = {"bip", "def", "joint", "jnt", "bone", "character", "mixamorig", "cc", "base", "b", "bn"}
_SUFFIXES = {"joint", "jnt", "bone", "base"}
# Joints that follow others: never a thigh or a hand themselves, though bones may pass through them.
_HELPERS = {
    *(
        "twist",
        "roll",
        "ik",
        "pole",
        "helper",
        "target",
        "ctrl",
        "control",
        "socket",
        "weapon",
        "prop",
        "virtual",
    ),
    *("mch", "org", "corrective", "attach", "bulge", "metacarpal", "thumb", "index", "heel"),
}

# How strongly a word speaks for a part. "Shoulder" is the collar bone in CMU and the upper arm in Xsens, "LeftFoot" the
# ankle in Mixamo and the toes in SMPL: such words speak for both, and the order along the limb decides.
_PARTS: dict[str, dict[str, float]] = {
    "hips": {"hips": 1, "hip": 0.9, "pelvis": 1, "下半身": 0.9, "root": 0.2},
    "spine": {
        "spine": 1,
        "lowerback": 0.6,
        "abdomen": 0.9,
        "waist": 0.9,
        "torso": 0.7,
        "back": 0.7,
        "上半身": 1,
    },
    "chest": {"chest": 1, "upperchest": 1, "thorax": 1, "upperback": 0.9, "ribcage": 0.9, "ribs": 0.8},
    "neck": {"neck": 1, "首": 1},
    "head": {"head": 1, "skull": 0.8, "頭": 1},
    "clavicle": {"clavicle": 1, "collar": 1, "collarbone": 1, "scapula": 1, "shoulder": 0.7, "肩": 1},
    "upper_arm": {
        "upperarm": 1,
        "uparm": 1,
        "armupper": 1,
        "humerus": 1,
        "arm": 0.9,
        "shoulder": 0.6,
        "腕": 1,
    },
    "forearm": {
        "forearm": 1,
        "lowerarm": 1,
        "loarm": 1,
        "lowarm": 1,
        "armlower": 1,
        "elbow": 1,
        "radius": 1,
        "ひじ": 1,
    },
    "hand": {"wrist": 1, "hand": 0.9, "palm": 0.6, "手首": 1},
    "thigh": {
        "thigh": 1,
        "upleg": 1,
        "upperleg": 1,
        "legupper": 1,
        "femur": 1,
        "hip": 0.8,
        "leg": 0.4,
        "足": 1,
    },
    "shin": {
        "shin": 1,
        "calf": 1,
        "lowerleg": 1,
        "loleg": 1,
        "lowleg": 1,
        "leglower": 1,
        "knee": 1,
        "tibia": 1,
    }
    | {"leg": 0.7, "ひざ": 1},
    "foot": {"ankle": 1, "foot": 0.9, "hock": 1, "metatarsus": 1, "cannon": 0.9, "足首": 1},
    "toe": {
        "toe": 1,
        "toes": 1,
        "toebase": 1,
        "ball": 1,
        "paw": 0.9,
        "hoof": 1,
        "foot": 0.4,
        "toeend": 0.3,
        "つま先": 1,
    },
}
_STEMS = {stem for stems in _PARTS.values() for stem in stems}


@dataclass(frozen=True)
class Word:
    """What a name says: ``side`` and ``front`` are None where it is silent; ``key`` is equal for partners."""

    side: str | None
    front: bool | None
    stem: str
    helper: bool
    key: tuple[str, ...]

    def speaks_for(self, part: str) -> float:
        """Evidence, 0 to 1, that this joint is the body part; −1 for a helper, which never is."""
        return -1.0 if self.helper else float(_PARTS[part].get(self.stem, 0))


def read_name(name: str) -> Word:
    """Reads one joint's name.

    >>> word = read_name("mixamorig:LeftForeArm")
    >>> word.side, word.stem, word.speaks_for("forearm")
    ('left', 'forearm', 1.0)
    >>> read_name("DEF-thigh.L.001").key == read_name("DEF-thigh.R.001").key
    True
    """
    spelled = re.split(r"[:|]", name)[-1].replace("左", " Left ").replace("右", " Right ")
    words = [word.lower() for word in _WORDS.findall(spelled)]
    side: str | None = None
    for i, word in enumerate(words):
        rest = words[:i] + words[i + 1 :]
        if word in _SIDES and not all(other.isdigit() for other in rest):  # L5 and T12 are vertebrae
            side, words = _SIDES[word], rest
            break
    key = tuple(words)
    letters = [word for word in words if not word.isdigit()]
    while len(letters) > 1 and letters[0] in _PREFIXES:
        letters = letters[1:]
    if side is None and letters and "".join(letters) not in _STEMS:
        side, letters = _split_side(letters)
        key = tuple(letters) if side else key
    front = _fore_or_hind(letters) if side else None
    if front is not None:
        letters = [word for word in letters if word not in {"front", "fore", "hind", "rear", "back"}]
    if len(letters) > 1 and letters[-1] in _SUFFIXES and "".join(letters) not in _STEMS:
        letters = letters[:-1]
    return Word(side, front, "".join(letters), not _HELPERS.isdisjoint(words), key)


def _split_side(letters: list[str]) -> tuple[str | None, list[str]]:
    """Takes the side off a name written as one word: ``lfemur``, ``rightupleg``."""
    for prefix, side in (("left", "left"), ("right", "right"), ("l", "left"), ("r", "right")):
        if (
            letters[0].startswith(prefix)
            and "".join([letters[0].removeprefix(prefix), *letters[1:]]) in _STEMS
        ):
            return side, [letters[0].removeprefix(prefix), *letters[1:]]
    return None, letters


def _fore_or_hind(letters: list[str]) -> bool | None:
    if "front" in letters or ("fore" in letters and "arm" not in letters):
        return True
    return False if {"hind", "rear", "back"} & set(letters) else None
