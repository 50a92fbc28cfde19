"""Commands that run in the background: setting up the worker, training, converting.

command    one command as a process, stopped or killed with its children; no bpy
second     a script of the extension in a second Blender: mixes sound, encodes films
job        the steps of a job one after another, and the state that a panel shows; no bpy
session    the one job of its kind in this Blender, polled by a timer; ends with Blender
operators  what the buttons Start, Stop and Show Log have in common
"""
