"""Engines choose where frames are computed: in this process, in a worker, or nowhere (fake)."""
