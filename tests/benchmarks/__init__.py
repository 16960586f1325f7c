"""Figures, never asserted: run by hand, quoted with their command."""
