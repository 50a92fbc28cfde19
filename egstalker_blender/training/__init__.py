"""Train an avatar from the sidebar: the command line's own commands, in the worker's Python.

plan        from frozen settings to the commands that run; no bpy
news        turns the events of the commands into the state that a panel shows; no bpy
job         the training as a job; no bpy
probe       asks a Python whether it can train; no bpy
session     the one training of this Blender, and the import of its result
picture     the last preview
properties, gather     the settings, and the reason why a training cannot start
operators, panel       buttons, settings, progress
"""
