"""Train an avatar from the sidebar: the command line's own commands, in the worker's Python.

plan        from frozen settings to the commands that run; no bpy
news        the events of the commands, folded into what a panel shows; no bpy
job         the training as a job; no bpy
probe       whether a Python can train; no bpy
session     the one training of this Blender, and the import of its result
picture     the last preview
properties, gather     the settings, and the reason why a training cannot start
operators, panel       what the user sees
"""
