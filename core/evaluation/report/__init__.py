"""A report as text, and as one HTML page with tables, charts and pictures."""
