"""Train an avatar from the sidebar: the command line's own commands, in the worker's Python.

plan        from frozen settings to the commands that run
news        what the commands say, JSON lines, folded into what a panel shows; no bpy
process     one command as a process: read, asked to stop, ended; no bpy
job         the commands one after another; no bpy
probe       whether a Python can train; no bpy
session     the one training of this Blender, driven by a timer; ends with Blender
picture     the last preview
properties, gather     what the user sets, and why a training cannot start
operators, panel       what the user sees
"""
