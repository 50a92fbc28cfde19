"""Render farms: the job that is handed in, the checks of a node, the paths of another machine."""
