"""From sound to what the network hears: waveform, features, windows."""
