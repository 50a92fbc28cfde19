"""The cost of a frame by stage, by threads and sizes; of starting up; of training's rasteriser."""
