"""Devices and processes: the choice of a device, CUDA graphs, memory, distributed training."""
