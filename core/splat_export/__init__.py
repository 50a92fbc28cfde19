"""The driven head as splat files for other programs."""
