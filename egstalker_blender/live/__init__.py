"""The live microphone: operators and the running session."""
