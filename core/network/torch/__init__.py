"""The network in torch: for training, and in batches on a GPU."""
