"""Rasterisers, all with the official rules (reference note §3.11), all with one signature."""
