"""The device of a process."""

import re

import torch

from moglow.compute.launch import from_environment
from moglow.errors import DeviceError


def find_device(device: str) -> str:
    """Returns the device of this process for "auto", "cpu", "cuda" or "cuda:1".

    "auto" is a GPU if torch finds one; of several processes on a machine each takes another GPU.

    >>> find_device("cpu")
    'cpu'
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu(:0)?|cuda(:[0-9]{1,4})?", device):
        raise DeviceError(f"device {device}: there is no such device; choose auto, cpu, cuda or cuda:1")
    if not device.startswith("cuda"):
        return device
    if not torch.cuda.is_available():
        raise DeviceError(f"device {device}: torch finds no CUDA GPU here; choose cpu")
    found = f"cuda:{from_environment('LOCAL_RANK', 0)}" if device == "cuda" else device
    count = torch.cuda.device_count()
    if int(found.removeprefix("cuda:")) >= count:
        raise DeviceError(
            f"device {device}: there is no {found}; torch finds cuda:0 to cuda:{count - 1} here"
        )
    return found
