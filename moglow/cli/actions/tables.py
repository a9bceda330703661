"""Reports of `moglow.cleaning.inspect` as tables for a terminal."""

from collections.abc import Sequence

import numpy as np
from rich.console import Group, RenderableType
from rich.table import Column, Table

from moglow.anatomy.anatomy import ROLES
from moglow.cleaning.inspect import Report
from moglow.cli.terminal import cell

_LOW = 0.7  # lower confidences are shown in yellow


def sheet(report: Report) -> RenderableType:
    """Returns the full report of one file."""
    table = Table(title=report.file, title_justify="left", show_header=False, box=None, pad_edge=False)
    for label, value in _lines(report):
        table.add_row(cell(label, "bold"), value)
    return Group(table, _roles(report))


def _lines(report: Report) -> list[tuple[str, RenderableType]]:
    figure, axes, motion = report.figure, report.axes, report.motion
    assert figure and motion, "a report without an error is complete"
    lines: list[tuple[str, RenderableType]] = [
        ("skeleton", f"{figure.joints} joints, {figure.legs} legs, {len(figure.roles)} roles"),
        ("partners", _sure("left and right", figure.partners)),
    ]
    if axes:
        lines += [("unit", _sure(axes.unit, axes.unit_confidence))]
        lines += [("axes", _sure(f"{axes.up} up, facing {axes.forward}", axes.confidence))]
    lines += [
        ("length", f"{report.frames} frames at {report.fps:g} fps, {report.seconds:.2f} s"),
        ("speed", f"{motion.speed_median:.2f} m/s, 95 % below {motion.speed_p95:.2f}"),
        ("turning", f"{_degrees(motion.turn_median)} °/s, 95 % below {_degrees(motion.turn_p95)}"),
    ]
    if motion.slide:
        slide = f"{100 * motion.slide.median:.1f} cm/s median, {100 * motion.slide.mean:.1f} mean, of the lowest toe"
        lines += [("foot slide", slide)]
    lines += [("floor", f"{100 * motion.floor:+.1f} cm")]
    return [*lines, ("damage", _damage(report) if report.damage else cell("none", "green"))]


def _damage(report: Report) -> Table:
    """Returns a table with a line for each damaged stretch, in the format of `moglow clean`."""
    table = Table(
        "damage", "frames", Column("seconds", justify="right"), "where and why", box=None, pad_edge=False
    )
    for each in report.damage:
        seconds = "" if each.start is None else f"{each.start / report.fps:.2f}"
        table.add_row(cell(each.kind, "yellow"), each.place, seconds, each.why)
    return table


def _roles(report: Report) -> Table:
    """Returns a table of joints by role, with left and right side by side."""
    assert report.figure, "a report without an error has a figure"
    table = Table("role", "joint", "sure", "joint on the right", "sure", pad_edge=False)
    found = report.figure.roles
    for role in ROLES:
        twin = role.replace("left", "right")
        if role.startswith("right") or not {role, twin} & set(found):
            continue
        cells = [_cells(found.get(role))] + ([_cells(found.get(twin))] if twin != role else [])
        table.add_row(role.removeprefix("left_"), *(cell for pair in cells for cell in pair))
    return table


def _cells(found: tuple[str, float] | None) -> tuple[str, RenderableType]:
    return (found[0], _sure("", found[1])) if found else ("–", "")


def _sure(text: str, confidence: float) -> RenderableType:
    return cell(f"{text} {confidence:.0%}".strip(), "" if confidence >= _LOW else "yellow")


def _degrees(angle: float) -> str:
    return f"{np.degrees(angle):.0f}"


def overview(reports: Sequence[Report], root: str) -> RenderableType:
    """Returns a table with a line for each file, followed by a summary."""
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for heading in ("joints", "roles", "sure"):
        table.add_column(heading, justify="right")
    for heading in ("unit", "up"):
        table.add_column(heading)
    for heading in ("fps", "seconds", "m/s", "95 %", "°/s 95 %", "slide cm/s"):
        table.add_column(heading, justify="right")
    table.add_column("damage", overflow="fold")
    for report in reports:
        table.add_row(report.file.removeprefix(root).lstrip("/\\"), *_row(report))
    return Group(table, cell(summary(reports), "bold"))


def _row(report: Report) -> list[RenderableType]:
    figure, axes, motion = report.figure, report.axes, report.motion
    if report.error or not figure or not motion:
        return [*[""] * 11, cell(report.error or "", "red")]
    damage = "; ".join(map(str, report.damage[:3]))
    more = f"; {len(report.damage) - 3} more" if len(report.damage) > 3 else ""
    return [
        f"{figure.joints}",
        f"{len(figure.roles)}",
        _sure("", figure.sure),
        axes.unit if axes else "",
        axes.up if axes else "",
        f"{report.fps:g}",
        f"{report.seconds:.1f}",
        f"{motion.speed_median:.2f}",
        f"{motion.speed_p95:.2f}",
        _degrees(motion.turn_p95),
        f"{100 * motion.slide.median:.1f}" if motion.slide else "",
        cell(damage + more, "yellow"),
    ]


def summary(reports: Sequence[Report]) -> str:
    """Returns the number and duration of files, and how many are damaged or unusable."""
    useless = sum(report.error is not None for report in reports)
    damaged = sum(bool(report.damage) for report in reports)
    minutes = sum(report.seconds for report in reports) / 60
    sound = f"{len(reports) - useless - damaged} undamaged, {damaged} damaged, {useless} unusable"
    return f"{len(reports)} files, {minutes:.1f} min: {sound}"
