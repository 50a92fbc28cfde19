"""From a dataset to an avatar. torch is imported only in files named ..._torch.py."""
