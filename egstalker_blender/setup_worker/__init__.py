"""A Python for the worker: found, checked, or set up in the extension's user folder.

pythons      interpreters that can be the base of an environment
plan         what is installed, as a list of commands
environment  the folders of environments
job          the set-up as a job, and what pip's output means
check        what a Python answers about itself
session      the one set-up and the one check of this Blender
operators, draw   what the preferences show
"""
