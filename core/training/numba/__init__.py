"""Loops of training compiled by numba."""
