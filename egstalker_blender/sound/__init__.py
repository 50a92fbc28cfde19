"""From a strip of the sequencer to a waveform."""
