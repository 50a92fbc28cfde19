"""Dataset folders of the field, read for training and evaluation."""
