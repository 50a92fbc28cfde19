"""Make a dataset from a video; start at pipeline.py."""
