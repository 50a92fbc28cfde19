"""Folders of the official trainers: read, written, imported."""
