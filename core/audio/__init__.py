"""From a sound to the network's input: waveform, features, windows."""
