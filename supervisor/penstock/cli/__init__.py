"""The `penstock` command: the roof of the house, which alone may reach every program.

`main` knows the commands by name and imports one only when it is called, so that `penstock
--help` answers at once. One command, one module, each with `main(argv) -> int`: 0 done, 1 failed,
2 used wrongly.
"""
