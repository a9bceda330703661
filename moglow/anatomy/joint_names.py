"""Reads side, body part, and fore or hind from the names of joints in common rigs.

One rule covers CMU, Bandai, SNU, Mixamo, Rigify, Unreal, Xsens, 3ds Max Biped, SMPL, ASF and MMD: the name is split
into words, words for sides and prefixes of tools are removed, and the rest is looked up.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+")
_SIDES = {"left": "left", "l": "left", "lft": "left", "right": "right", "r": "right", "rgt": "right"}
# Words that tools add to names, and qualifiers. Both are removed if the rest is in the vocabulary.
_TOOLS = re.compile("bip|def|joint|jnt|bone|character|mixamorig|cc|base|b|bn|j|c|m")
_QUALIFIERS = re.compile(f"{_TOOLS.pattern}|bend|upper|lower")
# Helper joints. They are never a body part, but may lie between two body parts.
_HELPERS = re.compile(
    "twist|roll|ik|pole|helper|target|ctrl|control|socket|weapon|prop|virtual|mch|org|corrective|attach|bulge|"
    "metacarpal|thumb|index|heel"
)

# The evidence of a word for a part, by default 1. Some words mean different parts in different rigs: "Shoulder" is the
# collar bone in CMU and the upper arm in Xsens, "LeftFoot" the ankle in Mixamo and the toes in SMPL. They are evidence
# for both, and the order along the limb decides.
_SPEAKS = {
    "hips": "hips pelvis hip:0.9 下半身:0.9 root:0.2",
    "spine": "spine 上半身 abdomen waist ab:0.9 torso:0.7 back:0.7 lowerback:0.6",
    "chest": "chest upperchest thorax upperback:0.9 ribcage:0.9 ribs:0.8",
    "neck": "neck 首",
    "head": "head 頭 skull:0.8",
    "clavicle": "clavicle collar collarbone scapula 肩 shoulder:0.7",
    "upper_arm": "upperarm uparm uarm armupper humerus shldr 腕 arm:0.9 shoulder:0.6",
    "forearm": "forearm farm lowerarm lowarm loarm armlower elbow radius ひじ",
    "hand": "wrist 手首 hand:0.9 palm:0.6",
    "thigh": "thigh upleg upperleg legupper femur 足 hip:0.8 leg:0.4",
    "shin": "shin calf lowerleg lowleg loleg leglower knee tibia ひざ leg:0.7",
    "foot": "ankle hock metatarsus 足首 foot:0.9 cannon:0.9",
    "toe": "toe toes toebase ball hoof つま先 paw:0.9 foot:0.4 toeend:0.3",
}
_PARTS = {
    part: {stem: float(weight or 1) for stem, _, weight in (word.partition(":") for word in words.split())}
    for part, words in _SPEAKS.items()
}
_STEMS = {stem for stems in _PARTS.values() for stem in stems}


@dataclass(frozen=True)
class Word:
    """A parsed name: ``side`` and ``front`` are None if it has neither; ``key`` is equal for partners."""

    side: str | None
    front: bool | None
    stem: str
    helper: bool
    key: tuple[str, ...]

    def evidence_for(self, part: str) -> float:
        """Returns the evidence, 0 to 1, that this joint is the body part; −1 for a helper."""
        return -1.0 if self.helper else _PARTS[part].get(self.stem, 0.0)


@lru_cache(maxsize=8192)  # a file's names are read for every way that its axes may point
def read_name(name: str) -> Word:
    """Reads one joint's name.

    >>> word = read_name("mixamorig:LeftForeArm")
    >>> word.side, word.stem, word.evidence_for("forearm")
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
    if side is None and _stem(letters) not in _STEMS:
        side, letters = _split_side(letters)
        key = tuple(letters) if side else key
    front = _fore_or_hind(letters) if side else None
    if front is not None:
        letters = [word for word in letters if word not in {"front", "fore", "hind", "rear", "back"}]
    return Word(side, front, _stem(letters), any(map(_HELPERS.fullmatch, words)), key)


def _stem(letters: list[str]) -> str:
    """Returns the joined words, without words of tools and qualifiers if the vocabulary lacks the full name."""
    stems = ["".join(letters)]
    stems += [
        "".join(word for word in letters if not extra.fullmatch(word)) for extra in (_TOOLS, _QUALIFIERS)
    ]
    return next((stem for stem in stems if stem in _STEMS), stems[1] or stems[0])


def _split_side(letters: list[str]) -> tuple[str | None, list[str]]:
    """Returns the side of a name written as one word, such as ``lfemur`` or ``rightupleg``, and the rest."""
    for prefix in ("left", "right", "l", "r"):
        rest = [letters[0].removeprefix(prefix), *letters[1:]] if letters else []
        if rest != letters and _stem(rest) in _STEMS:
            return _SIDES[prefix], rest
    return None, letters


def _fore_or_hind(letters: list[str]) -> bool | None:
    if "front" in letters or ("fore" in letters and "arm" not in letters):
        return True
    return False if {"hind", "rear", "back"} & set(letters) else None
