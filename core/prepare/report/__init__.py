"""The report of a preparation: pictures to look at, and a page with findings and advice."""
