"""Render farms: checks of a node, paths of another machine, jobs to hand in."""
