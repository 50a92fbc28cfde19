"""Caches of computed frames for the timeline, in memory and on disk."""
