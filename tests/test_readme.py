"""README, docs, help and command line agree: every shown command is valid."""

import re
import shlex
import shutil
from importlib import import_module
from pathlib import Path

import click
import pytest

from moglow.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = {
    file.relative_to(ROOT).as_posix(): file.read_text("utf-8")
    for file in [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md")), *DOCS]
}
README = PAGES["README.md"]


def command_lines(text: str) -> list[str]:
    """Returns the `moglow …` lines of a text, without prompts, comments, launchers and continuations.

    The bare name of a command in a sentence, such as "`moglow clean` mends it", becomes a request for its help.
    """
    text = text.replace("\\\n", " ")
    found = re.findall(r"^\s*(?:\$ )?(?:\.venv/bin/|torchrun .*-m )?(moglow .*)$", text, re.MULTILINE)
    inline = re.findall(r"(?<!`)`(moglow [^`\n]*)`(?!`)", text)
    found += [f"{line} --help" if len(line.split()) == 2 else line for line in inline]
    return [re.split(r"\s+#|[|>]", line)[0] for line in found]


def parse(line: str) -> None:
    """Parses a line like the command, without opening files; fails on an unknown option or argument."""
    words = shlex.split(line)[1:]
    if words == ["--help"]:
        return
    assert words[0] in COMMANDS, f"{line}: there is no command {words[0]!r}"
    if words[1:] == ["--help"]:
        return
    command: click.Command = import_module(COMMANDS[words[0]]).command
    with click.Context(command, info_name=words[0]) as ctx:
        given, rest, _ = command.make_parser(ctx).parse_args(words[1:])
        assert not rest, f"{line}: what is {rest}?"
        if any(parameter.is_eager and given.get(parameter.name or "") for parameter in command.params):
            return  # it ends there, without further arguments
        for parameter in command.params:
            if not isinstance(parameter.type, click.Path):
                parameter.process_value(ctx, given.get(parameter.name or ""))
            elif parameter.required:
                value = given.get(parameter.name or "")  # a tuple, where any number may be given
                assert value and isinstance(value, str | tuple), f"{line}: {parameter.name} is missing"


IN_PAGES = [(name, line) for name, text in PAGES.items() for line in command_lines(text)]
IN_HELP = [
    (name, line)
    for name, module in COMMANDS.items()
    for line in command_lines(import_module(module).command.epilog or "")
]


@pytest.mark.parametrize(("place", "line"), IN_PAGES + IN_HELP)
def test_shown_commands_are_valid(place: str, line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    "line",
    [
        "moglow exprot a b",
        "moglow export a",
        "moglow info a b c",
        "moglow export a b --fsp 3",
        "moglow view --html a",
    ],
)
def test_a_wrong_command_is_noticed(line: str) -> None:
    with pytest.raises((AssertionError, click.UsageError)):
        parse(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme(name: str) -> None:
    assert any(line.split()[1] == name for line in command_lines(README))


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 100


def test_the_site_lists_every_page() -> None:
    site = (ROOT / "mkdocs.yml").read_text("utf-8")
    listed = re.findall(r"[\w/-]+\.md$", site, re.MULTILINE)
    assert sorted(listed) == sorted(file.relative_to(ROOT / "docs").as_posix() for file in DOCS)


@pytest.mark.parametrize(
    ("page", "target"),
    [(page, target) for page, text in PAGES.items() for target in re.findall(r"\]\(([^)#:]+)\)", text)],
)
def test_links_have_targets(page: str, target: str) -> None:
    assert ((ROOT / page).parent / target).exists()


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    shutil.copytree(ROOT / "data" / "samples", tmp_path / "data" / "samples")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "circle.glb").stat().st_size > 1000


@pytest.mark.parametrize("script", ["setup", "check", "demo", "docs"])
def test_scripts_can_be_run(script: str) -> None:
    path = ROOT / "scripts" / script
    assert path.stat().st_mode & 0o111 and path.read_text().startswith("#!/usr/bin/env bash\n# ")
