"""Reads strips of the sequencer and decodes their sound."""
