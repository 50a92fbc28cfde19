"""From a job to picture files: what is computed, with which backend, and the one loop."""
