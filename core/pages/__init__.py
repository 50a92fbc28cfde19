"""Self-contained HTML pages: layout, picture strips, curves, time lines. No script, no network."""
