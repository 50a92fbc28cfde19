"""The worker: a process in another Python that deforms, rasterises and bakes."""
