"""The inference core of EGSTalker for Blender: from a trained avatar and a sound to pictures.

The core never imports bpy. Modules that the add-on imports need only numpy; torch, gsplat, numba
and librosa are imported only by the modules that are built on them. The package has three import
names (in the extension, in the worker, in the tests), so files and messages never name classes.
"""
