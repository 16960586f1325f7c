"""The history: what became of every execution, as a view that can be rebuilt from the journal.

`fold` turns messages of EXEC into rows and bodies, `writer` stores them, `store` and `replay` read
them for people, `answering` serves them on the bus, `retention` forgets them.
"""
