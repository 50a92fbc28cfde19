"""Third-party file formats: safetensors, torch's archives, PLY, NPY."""
