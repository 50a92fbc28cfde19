"""A Python for the worker: found, checked, or set up in the extension's user folder.

pythons      interpreters that can be the base of an environment
plan         the list of commands of a set-up
environment  the folders of environments
job          the set-up as a job, and the meaning of pip's output
check        asks a Python for its version, packages and device
session      the one set-up and the one check of this Blender
operators, draw   buttons and progress in the preferences
"""
