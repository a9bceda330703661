"""A device is found by its name, or refused in one line."""

import pytest
import torch

from moglow.compute.device import find_device
from moglow.errors import DeviceError


@pytest.mark.parametrize("name", ["gpu", "cuda:one", "cpu:1", "", "mps"])
def test_a_device_of_no_kind_is_refused(name: str) -> None:
    with pytest.raises(DeviceError, match="no such device; choose auto, cpu, cuda or cuda:1"):
        find_device(name)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="device cuda: torch finds no CUDA GPU"):
        find_device("cuda")
    assert find_device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert [find_device(name) for name in ("auto", "cuda", "cuda:0")] == ["cuda:1", "cuda:1", "cuda:0"]
    with pytest.raises(DeviceError, match="no cuda:2; torch finds cuda:0 to cuda:1"):
        find_device("cuda:2")
