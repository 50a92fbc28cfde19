"""Computed frames kept for the timeline, in memory and on disk."""
