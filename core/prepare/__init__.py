"""From a video to a dataset; pipeline.py is the way in."""
