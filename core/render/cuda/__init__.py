"""Drawing on a CUDA GPU: our own kernels, compiled in about a second by torch's NVRTC, or gsplat if
it is prebuilt. Forward only, by the official rules, in batches of frames."""
