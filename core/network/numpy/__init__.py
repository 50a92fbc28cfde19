"""The network in numpy: the readable reference, and the folded form that Blender runs."""
