"""Reference files of the official networks, and the error of this one."""
