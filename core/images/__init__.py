"""Pictures: the record, its colour space, and its file formats."""
