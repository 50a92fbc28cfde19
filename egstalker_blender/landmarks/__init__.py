"""Empties that follow places on the driven face: what to compute (`gather`), the empties with
their F-curves (`empties`), the operator."""
