"""Where numbers are computed: the device, CUDA graphs, memory, several processes."""
