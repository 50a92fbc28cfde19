"""Panels and menus: sidebar, object properties, entries in Blender's menus."""
