"""The heads in the 3D view. `stage` says what is shown; nothing here computes a head."""
