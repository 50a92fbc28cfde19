"""Tensors of the official networks, and how far this one is from them."""
