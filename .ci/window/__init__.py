"""Scripted sessions in a real Blender window.

display, blender, console, leftovers, run     outside: find, install, start, judge
profile, start, driver, picture, sidebar      inside Blender: install, run steps by a timer
tour, safety                                  the steps: pictures for docs/, tests of a session
talking, heads, files, bakes, renders, training    parts of these steps
"""

MARK = "window| "  # begins the driver's lines on the console
REPORT = "report.json"
