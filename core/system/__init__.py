"""The machine: files, folders, threads, GPUs, and the setup of compiled loops."""
