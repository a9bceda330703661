"""Motion that is directed by poses: pins, in-betweens and partial takes. Needs numpy alone."""
