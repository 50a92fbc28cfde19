"""Reference files of the official networks, and our network's error on them."""
