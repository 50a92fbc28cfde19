"""The deformation network: in readable numpy, and the fast paths that are tested against it."""
