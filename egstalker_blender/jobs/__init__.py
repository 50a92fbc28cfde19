"""Work in the background that outlives an operator."""
