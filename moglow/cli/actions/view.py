"""Implements `moglow view`: a page, pictures and films of a scene, or a window."""

from collections.abc import Iterator
from pathlib import Path

from moglow.cli.terminal import make_progress, shown
from moglow.files.atomic import refuse_overwriting
from moglow_viewer.scene.scene import Scene, Sources


def look(
    sources: Sources,
    *,
    html: Path | None,
    record: Path | None,
    screenshot: Path | None,
    at: float,
    sheet: Path | None,
    bones: bool,
    size: tuple[int, int] | None,
) -> Iterator[str]:
    """Writes the requested files and yields a line for each; opens a window if none is requested."""
    look = "bones" if bones else "capsules"
    if not (html or record or screenshot or sheet):
        return _window(sources, look, size)
    inputs = (*sources.clips, *sources.real, sources.control)
    refuse_overwriting(filter(None, (html, record, screenshot, sheet)), inputs)
    scene = sources.read()
    if html:
        yield _page(scene, html)
    if screenshot:
        yield _picture(scene, screenshot, at, look, size)
    if sheet:
        yield _sheet(scene, sheet, look)
    if record:
        yield _film(scene, record, look, size)
    return None


def _window(sources: Sources, look: str, size: tuple[int, int] | None) -> None:
    from moglow_viewer.window.window import SIZE, ViewWindow

    ViewWindow(sources, look=look, size=size or SIZE).open()


def _page(scene: Scene, path: Path) -> str:
    from moglow_viewer.pages.clip_page import write_page

    clips, figures = [m.clip for m in scene.motions], [m.figures for m in scene.motions]
    write_page(clips, path, control=scene.path, figures=figures, ground=scene.ground)
    return f"{path}: {path.stat().st_size / 1000:.0f} kB, open it in any browser"


def _picture(scene: Scene, path: Path, seconds: float, look: str, size: tuple[int, int] | None) -> str:
    from moglow_viewer.pictures.film import Shot, write_picture

    shot = Shot.of(scene, look=look, size=size or (1280, 720))
    write_picture(scene, path, seconds=seconds, shot=shot)
    return f"{path}: {shot.size[0]}×{shot.size[1]} pixels, at {seconds:.2f} s"


def _sheet(scene: Scene, path: Path, look: str) -> str:
    from moglow_viewer.pictures.sheet import write_sheet

    write_sheet(scene, path=path, look=look)
    return f"{path}: {len(scene.motions)} {'motion' if len(scene.motions) == 1 else 'motions'} at a glance"


def _film(scene: Scene, path: Path, look: str, size: tuple[int, int] | None) -> str:
    from moglow_viewer.pictures.film import Shot, film

    shot = Shot.of(
        scene, look=look, size=size or ((640, 368) if path.suffix.lower() == ".gif" else (960, 544))
    )
    shooting = film(scene, path, shot=shot)
    with make_progress(transient=True) as progress:
        task = progress.add_task(shown(path.name))
        for done, frames in shooting:
            progress.update(task, completed=done, total=frames)
    pixels, megabytes = f"{shot.size[0]}×{shot.size[1]}", path.stat().st_size / 1e6
    return f"{path}: {frames} frames of {pixels}, {scene.duration:.1f} s, {megabytes:.1f} MB"
