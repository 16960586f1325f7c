"""The language: workflow documents, plans, expressions. Pure: no I/O, no clock, no randomness."""
