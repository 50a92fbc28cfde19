"""Drawing on a CUDA GPU: our own kernels, built in about a second by the NVRTC that torch brings,
or gsplat where it is prebuilt. Forward only, the official rules, frames in batches."""
