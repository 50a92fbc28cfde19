"""The avatar: its record, its file, and official output folders read into it."""
