"""The deformation network: a readable numpy implementation and its torch twin."""
