"""The machine: files, folders, threads, GPUs, and what compiled loops share."""
