"""Engines: who computes. In this process (built-in), in a worker process, or nobody (fake)."""
