"""Live voice: from an input device to the windows that the network takes."""
