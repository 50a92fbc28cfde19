"""One HTML page of what was measured: tables, charts and pictures."""
