"""Scripted sessions in a real Blender window.

display, blender, console, run      outside: find, install, start, judge
profile, start, driver, picture     inside Blender: install, run steps by a timer, save pictures
tour, safety                        the steps: pictures for docs/, and what a session must survive
"""
