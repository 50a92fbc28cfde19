"""The rasteriser compiled by numba, forward and backward."""
