"""What a frame costs and why: stages, threads and sizes, the machine's ceilings, start-up."""
