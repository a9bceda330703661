"""Files of arrays: compatible with the safetensors package in both directions; an interrupted write loses nothing."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from moglow.errors import ExportError, FileFormatError
from moglow.files.atomic import replacing
from moglow.files.tensors import DTYPES, Array, read_tensors, write_tensors

ARRAYS: dict[str, Array] = {
    "pose": np.arange(12, dtype=np.float32).reshape(3, 4),
    "half": np.ones(3, np.float16),
    "scalar": np.array(2.5),
    "empty": np.zeros((0, 5), np.int64),
    "mask": np.array([True, False]),
}
METADATA = {"kind": "test", "name": "Läufer"}


def test_every_dtype_and_shape_returns(tmp_path: Path) -> None:
    arrays = {code: np.arange(6).reshape(2, 3).astype(dtype) for code, dtype in DTYPES.items()} | ARRAYS
    write_tensors(tmp_path / "a", arrays, METADATA)
    back, metadata = read_tensors(tmp_path / "a")
    assert metadata == METADATA
    assert back.keys() == arrays.keys()
    for name, array in arrays.items():
        assert back[name].dtype == array.dtype and back[name].shape == array.shape
        np.testing.assert_array_equal(back[name], array)
        assert not back[name].flags.writeable


def test_the_safetensors_package_agrees_both_ways(tmp_path: Path) -> None:
    write_tensors(tmp_path / "ours", ARRAYS, METADATA)
    for name, array in safetensors.numpy.load_file(tmp_path / "ours").items():
        np.testing.assert_array_equal(array, ARRAYS[name])
    safetensors.numpy.save_file(ARRAYS, tmp_path / "theirs", METADATA)
    back, metadata = read_tensors(tmp_path / "theirs")
    assert metadata == METADATA and back.keys() == ARRAYS.keys()
    for name, array in back.items():
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", ARRAYS, METADATA)
    write_tensors(tmp_path / "b", dict(list(ARRAYS.items())[::-1]), dict(reversed(METADATA.items())))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@given(
    array=hnp.arrays(np.float32, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)),
    name=st.text(),
)
def test_any_name_and_array_returns(
    tmp_path_factory: pytest.TempPathFactory, array: Array, name: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "a"
    name = "x" + name.encode("utf-8", "ignore").decode()
    write_tensors(path, {name: array.T}, {})
    np.testing.assert_array_equal(read_tensors(path)[0][name], array.T)


def test_reading_maps_and_does_not_load(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"x": np.zeros(1000)}, {})
    array = read_tensors(tmp_path / "a")[0]["x"]
    while isinstance(array.base, np.ndarray):
        array = array.base
    assert isinstance(array, np.memmap)


def test_a_file_cut_anywhere_is_refused_in_one_line(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", ARRAYS, METADATA)
    whole = (tmp_path / "a").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(FileFormatError) as caught:
            read_tensors(tmp_path / "cut")
        assert "\n" not in str(caught.value)
    (tmp_path / "cut").write_bytes(whole + b"x")
    with pytest.raises(FileFormatError, match="1 bytes too many"):
        read_tensors(tmp_path / "cut")


@given(garbage=st.binary(max_size=200))
def test_garbage_is_refused(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    path = tmp_path_factory.mktemp("garbage") / "a"
    for content in (garbage, len(garbage).to_bytes(8, "little") + garbage):
        path.write_bytes(content)
        with pytest.raises(FileFormatError):
            read_tensors(path)


@pytest.mark.parametrize(
    "header",
    [
        '{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}',
        '{"x":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}',
        '{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
        '{"x":{"dtype":"F32","shape":["a"],"data_offsets":[0,4]}}',
        '{"x":{"dtype":"F32","shape":[1],"data_offsets":["a",4]}}',
        '{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"y":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"x":[1]}',
        '{"__metadata__":{"a":1},"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        '{"__metadata__":3,"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        "[1]",
    ],
)
def test_a_wrong_header_is_refused(tmp_path: Path, header: str) -> None:
    (tmp_path / "a").write_bytes(len(header).to_bytes(8, "little") + header.encode() + bytes(4))
    with pytest.raises(FileFormatError):
        read_tensors(tmp_path / "a")


def test_arrays_that_cannot_be_stored_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="'z' has type complex128"):
        write_tensors(tmp_path / "a", {"z": np.zeros(2, complex)}, {})
    with pytest.raises(ExportError, match="cannot be written"):
        write_tensors(tmp_path / "missing" / "a", ARRAYS, {})
    with pytest.raises(FileFormatError, match="nowhere"):
        read_tensors(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_keeps_the_old_file_and_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExportError, match="No space left on device"):
        write_tensors(tmp_path / "a", ARRAYS, {})
    assert (tmp_path / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_killed_in_mid_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_tensors(path, ARRAYS, METADATA)
    script = (
        "import sys, time; from moglow.files.tensors import replacing\n"
        "with replacing(sys.argv[1]) as file:\n"
        "    file.write(bytes(1000)); file.flush(); print('half', flush=True); time.sleep(60)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE)
    assert child.stdout is not None and child.stdout.readline() == b"half\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert read_tensors(path)[1] == METADATA
    with replacing(path) as file:  # the leftover of the dead is simply written over
        file.write(b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]
