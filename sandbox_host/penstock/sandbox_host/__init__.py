"""Sandbox hosts: they run the steps that may not, or should not, run in the partition loop."""
