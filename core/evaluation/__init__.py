"""Measure how good an avatar is, in numbers and pictures."""
