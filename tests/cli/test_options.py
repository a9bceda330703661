"""The values of options: decimal numbers within bounds, and nothing that only Python reads."""

import pytest
from click.testing import CliRunner

from moglow.cli.main import cli

NUMBERS = ["nan", "inf", "-1", "1_0", "١", "²", "1e999", "", "x", "9" * 5000]
OPTIONS = {
    "generate --takes": ["0", "1000000000", *NUMBERS],
    "generate --seed": ["18446744073709551616", *NUMBERS],
    "generate --fps": ["0", "1e9", *NUMBERS],
    "generate --temperature": ["2.1", *NUMBERS],
    "play --seed": NUMBERS,
    "clean a.bvh --seed": NUMBERS,
    "export a.bvh b.bvh --fps": ["0", "1e9", *NUMBERS],
    "export a.bvh b.bvh --recorded-at": ["0", *NUMBERS],
    "export a.bvh b.bvh --frames": ["1", "a:b", "1_0:", "²:", "1:2:3", ":" + "9" * 5000],
    "view a.bvh --at": NUMBERS,
    "view a.bvh --size": ["²x²", "0x0", "1x", "x", "axb", "99999x99999", "1_00x1_00", "100x100x100"],
    "blender a.bvh a.blend --size": ["²x²", "0x0", "99999x99999"],
    "bench --frames": ["0", *NUMBERS],
    "bench --pose": ["0", *NUMBERS],
    "info --pose": ["0", *NUMBERS],
    "evaluate --seeds": ["0", *NUMBERS],
    "evaluate --temperature": NUMBERS,
    "preprocess . -o a --workers": ["0", "1000000", *NUMBERS],
    "train pyproject.toml -o a --steps": ["0", *NUMBERS],
    "train pyproject.toml -o a --seed": NUMBERS,
}


@pytest.mark.parametrize(
    ("option", "value"), [(each, value) for each, values in OPTIONS.items() for value in values]
)
def test_a_wrong_value_is_refused_in_one_line(
    option: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = CliRunner().invoke(cli, [*option.split(), value])
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 2 and option.split()[-1] in line and result.stdout == "", result.output


@pytest.mark.parametrize(
    ("name", "value"),
    [(name, value) for name in ("RANK", "WORLD_SIZE") for value in ("abc", "-1", "1_0", "²")]
    + [("RANK", "5")],
)
def test_a_wrong_process_number_is_refused_in_one_line(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv(name, value)
    result = CliRunner().invoke(cli, ["generate", "-o", f"{tmp_path}/a.bvh", "--control", "line:length=0.1"])
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 1 and name in line


@pytest.mark.parametrize("device", ["tpu", "cuda:99999", "cuda:-1", ""])
def test_a_device_that_does_not_exist_is_refused_before_anything_is_measured(device: str) -> None:
    result = CliRunner().invoke(cli, ["bench", "--preset", "toy", "--device", device])
    assert result.exit_code == 1 and result.output.count("\n") == 1
    assert result.output.startswith(f"error: device {device}: ")
