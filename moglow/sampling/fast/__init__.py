"""Quick ways to compute one frame: numpy, a kernel of 16-bit integers, torch, fused kernels on a GPU."""
