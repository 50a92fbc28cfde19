"""The avatar: its file, its summary, head poses and blinks."""
