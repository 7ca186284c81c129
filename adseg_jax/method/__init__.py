"""The method of the paper: encodings, losses and the step of both networks."""
