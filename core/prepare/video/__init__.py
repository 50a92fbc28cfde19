"""Reads a video file: pictures upright, square, in BT.709, and the voice, both on one clock."""
