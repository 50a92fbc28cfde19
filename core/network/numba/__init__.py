"""The network compiled by numba: the worker's engine on a CPU."""
