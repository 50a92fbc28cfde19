"""Output folders of the official trainers: read (checkpoint), written (export), imported."""
