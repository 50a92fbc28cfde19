"""Importing avatars, and finding their files again."""
