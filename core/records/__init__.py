"""The program's data: frozen records and their rules."""
