"""Pictures: the record, its colour, and the files it becomes."""
