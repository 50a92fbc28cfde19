"""From a dataset to an avatar."""
