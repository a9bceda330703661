"""FBX files made by hand, binary and text, for readers to be tried on."""

import struct
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

SECOND = 46186158000
Row = tuple[str, Sequence[Any], Sequence[Any]]
"""A record: its name, its values, the records inside it. A tuple of a letter and a value says how it is stored."""

ENDS = bytes.fromhex("fabcab09d0c8d466b176fb83f91cf75e")


def binary(records: Iterable[Row], version: int = 7400, *, packed: bool = True) -> bytes:
    """The records as a binary file."""
    out = bytearray(b"Kaydara FBX Binary  \x00\x1a\x00" + struct.pack("<I", version))
    wide = version >= 7500
    for record in records:
        _append(out, record, wide, packed)
    out += bytes(25 if wide else 13) + ENDS + bytes(4)
    return bytes(out + bytes(-len(out) % 16 or 16) + struct.pack("<I", version) + bytes(120) + ENDS)


def _append(out: bytearray, record: Row, wide: bool, packed: bool) -> None:
    name, values, children = record
    head, size = ("<QQQB", 25) if wide else ("<IIIB", 13)
    start = len(out)
    body = b"".join(_value(value, packed) for value in values)
    out += bytes(size) + name.encode() + body
    for child in children:
        _append(out, child, wide, packed)
    if children:
        out += bytes(size)
    struct.pack_into(head, out, start, len(out), len(values), len(body), len(name.encode()))


def _value(value: Any, packed: bool) -> bytes:
    kind, value = value if isinstance(value, tuple) else (None, value)
    if isinstance(value, np.ndarray):
        letter = {"i4": "i", "i8": "l", "f4": "f", "f8": "d"}[value.dtype.str[1:]]
        raw = value.tobytes()
        data = zlib.compress(raw) if packed else raw
        return struct.pack("<cIII", letter.encode(), len(value), int(packed), len(data)) + data
    if isinstance(value, str):
        return struct.pack("<cI", b"S", len(value.encode())) + value.encode()
    if isinstance(value, float):
        return struct.pack("<cd", b"D", value)
    return struct.pack("<cq", b"L", value) if kind == "L" else struct.pack("<ci", b"I", value)


def text(records: Iterable[Row], version: int = 7400) -> bytes:
    """The records as a text file."""
    lines = [f"; FBX {version // 1000}.{version // 100 % 10}.0 project file", "; a comment"]
    for record in records:
        _append_text(lines, record, 0)
    return "\n".join(lines).encode()


def _append_text(lines: list[str], record: Row, depth: int) -> None:
    name, values, children = record
    words = []
    for value in values:
        value = value[1] if isinstance(value, tuple) else value
        if isinstance(value, np.ndarray):
            words.append(f"*{len(value)} {{\n\ta: {','.join(map(repr, value.tolist()))}\n}}")
        elif isinstance(value, str):
            label, sign, kind = value.partition("\x00\x01")
            words.append(f'"{kind}::{label}"' if sign else f'"{value}"')
        else:
            words.append(repr(value))
    tab = "\t" * depth
    lines.append(f"{tab}{name}: {', '.join(words)}" + (" {" if children else ""))
    for child in children:
        _append_text(lines, child, depth + 1)
    if children:
        lines.append(f"{tab}}}")


_LABELS = {"double": "Number", "int": "Integer", "KTime": "Time", "Vector3D": "Vector"}


def prop(name: str, kind: str, *values: Any) -> Row:
    """A row of a table of properties."""
    return "P", (name, kind, _LABELS.get(kind, ""), "A" if name.startswith("Lcl") else "", *values), ()


def scene(
    nodes: Sequence[tuple[str, int, str, Sequence[Row]]],
    curves: Sequence[Any],
    settings: Sequence[Row] = (),
    *,
    stacks: Sequence[str] = ("Take 001",),
    version: int = 7400,
) -> list[Row]:
    """A file of nodes (name, parent, kind, properties) and curves.

    A curve is a node, a property (T, R or S), an axis, seconds, values and the flags of its keys; every stack has the
    same curves.
    """
    objects: list[Row] = []
    links: list[Row] = []

    def link(child: int, parent: int, name: str = "") -> None:
        links.append(
            ("C", ("OP" if name else "OO", ("L", child), ("L", parent), *([name] if name else [])), ())
        )

    for number, (name, parent, kind, properties) in enumerate(nodes):
        objects.append((
            "Model",
            (("L", 1000 + number), f"{name}\x00\x01Model", kind),
            (("Version", (232,), ()), ("Properties70", (), list(properties))),
        ))  # fmt: skip
        link(1000 + number, 1000 + parent if parent >= 0 else 0)
        if kind == "LimbNode":
            objects.append(("NodeAttribute", (("L", 5000 + number), f"{name}\x00\x01NodeAttribute", kind),
                            (("TypeFlags", ("Skeleton",), ()),)))  # fmt: skip
            link(5000 + number, 1000 + number)
    last = max((curve[3][-1] for curve in curves), default=0.0)
    first = min((curve[3][0] for curve in curves), default=0.0)
    for s, stack in enumerate(stacks):
        base = 100000 * (s + 1)
        span = [
            prop(key, "KTime", ("L", round(time * SECOND)))
            for key, time in (
                ("LocalStart", first),
                ("LocalStop", last),
                ("ReferenceStart", first),
                ("ReferenceStop", last),
            )
        ]
        objects.append(("AnimationStack", (("L", base), f"{stack}\x00\x01AnimStack", ""),
                        (("Properties70", (), span),)))  # fmt: skip
        objects.append(
            ("AnimationLayer", (("L", base + 1), "BaseLayer\x00\x01AnimLayer", ""), (("Version", (1,), ()),))
        )
        link(base + 1, base)
        groups: dict[tuple[int, str], int] = {}
        for k, (node, what, axis, times, values, flag) in enumerate(curves):
            long = {"T": "Lcl Translation", "R": "Lcl Rotation", "S": "Lcl Scaling"}[what]
            if (node, what) not in groups:
                groups[node, what] = base + 10 + k
                objects.append(
                    (
                        "AnimationCurveNode",
                        (("L", base + 10 + k), f"{what}\x00\x01AnimCurveNode", ""),
                        (
                            (
                                "Properties70",
                                (),
                                [prop(f"d|{a}", "Number", float(what == "S")) for a in "XYZ"],
                            ),
                        ),
                    )
                )
                link(base + 10 + k, base + 1)
                link(base + 10 + k, 1000 + node, long)
            ticks = np.round(np.array(times) * SECOND).astype("<i8")
            objects.append(("AnimationCurve", (("L", base + 50000 + k), "\x00\x01AnimCurve", ""), (
                ("Default", (0.0,), ()),
                ("KeyVer", (4008,), ()),
                ("KeyTime", (ticks,), ()),
                ("KeyValueFloat", (np.array(values, "<f4"),), ()),
                ("KeyAttrFlags", (np.array([flag], "<i4"),), ()),
                ("KeyAttrDataFloat", (np.zeros(4, "<f4"),), ()),
                ("KeyAttrRefCount", (np.array([len(times)], "<i4"),), ()),
            )))  # fmt: skip
            link(base + 50000 + k, groups[node, what], f"d|{axis}")
    return [
        ("FBXHeaderExtension", (), (("FBXHeaderVersion", (1003,), ()), ("FBXVersion", (version,), ()))),
        ("GlobalSettings", (), (("Version", (1000,), ()), ("Properties70", (), list(settings)))),
        ("Definitions", (), (("Version", (100,), ()),)),
        ("Objects", (), objects),
        ("Connections", (), links),
    ]
