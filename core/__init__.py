"""The inference core of EGSTalker for Blender: from a trained avatar and a sound to pictures.

Never imports bpy. Modules that the add-on imports need numpy alone; torch, gsplat, numba and
librosa are imported only inside the modules that are theirs. The package has three import names
(in the extension, in the worker, in the tests), so files and messages never name classes.
"""
