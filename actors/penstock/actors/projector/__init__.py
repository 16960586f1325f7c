"""The projector: the program that keeps the history up to date and answers questions about it."""
