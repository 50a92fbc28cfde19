"""A voice as it is spoken: from an input device to the windows that the network takes."""
