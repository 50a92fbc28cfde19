"""The driven head as splat files, from File > Export and the panel."""
