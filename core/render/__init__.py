"""Rasterisers, all with the official rules (docs/method.md §3.11), all with one signature."""
