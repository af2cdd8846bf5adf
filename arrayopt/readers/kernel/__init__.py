"""The engine "cupy": the tape as CUDA kernels, from its cutting to the launch."""
