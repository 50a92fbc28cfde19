"""Engines: frames are computed in this process (built-in), in a worker process, or not at all
(fake)."""
