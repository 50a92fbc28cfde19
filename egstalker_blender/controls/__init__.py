"""The controls of an avatar: their values in one frame, their curves, their presets."""
