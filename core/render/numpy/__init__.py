"""The rasteriser in numpy, in tiles: what Blender runs."""
