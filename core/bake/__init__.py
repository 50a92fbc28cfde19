"""From a job to picture files: the plan, the backends and the loop over the frames."""
