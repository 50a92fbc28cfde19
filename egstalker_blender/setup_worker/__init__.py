"""A Python for the worker: found, checked, or set up in the extension's user folder.

pythons   interpreters that can be the base of an environment
plan      what is installed, as a list of commands
job       the commands one after another, with progress, cancel and a log; no bpy
session   the one job and the one check of this Blender, driven by a timer
operators, draw   what the preferences show
"""
