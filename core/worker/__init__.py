"""The worker: a process of another Python that deforms, rasterises and bakes."""
