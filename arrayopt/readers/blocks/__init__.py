"""What the engines "numpy" and "numba" share: programs, registers, leaves taken together, threads, memory."""
