"""Devices and processes.

device chooses a device, cuda_graphs records functions, memory configures the allocator; launch and distributed are for
several processes.
"""
