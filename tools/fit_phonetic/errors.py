"""The error that ends a fit, with exit code 2."""


class FitError(Exception):
    """One line: what is missing or wrong, and what to do about it."""
