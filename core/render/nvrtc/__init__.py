"""Drawing on a CUDA GPU without any compiler on the machine: kernels that torch's own NVRTC builds
in about a second, and torch's sort between them. Forward only, the official rules, frames in
batches (reference note splat_renderers.md §6)."""
