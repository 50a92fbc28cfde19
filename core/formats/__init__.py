"""File formats of others: safetensors, torch's archives, PLY, NPY."""
