"""Gaussians -> picture, differentiable: numba on the CPU, gsplat on CUDA."""
