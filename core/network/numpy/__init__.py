"""The network in numpy: the readable reference, and the folded network that runs inside Blender."""
