"""Gaussians -> picture, differentiable: by numba on the CPU, by gsplat on CUDA, and in plain torch."""
