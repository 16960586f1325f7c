"""Variables at compile time: which slot of which frame a name stands for.

A function call has one frame, a list: [context, frame of the enclosing function, slots...].
Blocks share their function's frame and give each declaration a slot of its own.
"""


class FunctionNames:
    """The names of one function, by block, innermost last."""

    def __init__(self, parent: "FunctionNames | None") -> None:
        self.parent = parent
        self.blocks: list[dict[str, int]] = [{}]
        self.size = 2

    def declare(self, name: str) -> int:
        """The slot of a declaration in the current block; the same one when declared again."""
        block = self.blocks[-1]
        if name not in block:
            block[name] = self.size
            self.size += 1
        return block[name]

    def declare_in_function(self, name: str) -> int:
        """The slot of a `var`, which belongs to the whole function."""
        block = self.blocks[0]
        if name not in block:
            block[name] = self.size
            self.size += 1
        return block[name]

    def hidden(self) -> int:
        """A slot without a name."""
        self.size += 1
        return self.size - 1

    def find(self, name: str) -> tuple[int, int] | None:
        """How many frames out and which slot, or `None` for a name of no variable."""
        depth = 0
        names: FunctionNames | None = self
        while names is not None:
            for block in reversed(names.blocks):
                if name in block:
                    return depth, block[name]
            names, depth = names.parent, depth + 1
        return None
