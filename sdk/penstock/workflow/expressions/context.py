"""The context of one evaluation: its scope, item and budgets.

Budgets are counted in steps, not in seconds, so that an expression that was accepted once is
accepted again on replay. A step is one call of a function or one round of a loop; building large
values costs steps by their size, which bounds memory too. A caller that also wants a bound in
time gives `Scope.expired`, which is asked every thousand steps.
"""

import copy
from typing import Any

import msgspec

from penstock.workflow.expressions.errors import BudgetError, ExpressionError
from penstock.workflow.scope import Scope

STEPS_MAX = 1_000_000
SIZE_PER_STEP = 64
"""Characters or elements that one step pays for."""


class Context(msgspec.Struct, eq=False):
    """See the module's text. One is made per evaluation of one expression for one item."""

    scope: Scope
    index: int
    steps: int = STEPS_MAX
    copies_data: bool = False
    regex_ms: float = 500.0
    globals: dict[str, Any] | None = None
    _copies: dict[int, tuple[Any, Any]] | None = None

    def step(self) -> None:
        """Count one step; raises when the budget is spent."""
        self.steps -= 1
        if self.steps < 0 or not self.steps & 1023:
            self.check()

    def check(self) -> None:
        """Raise when the budget of steps or the caller's time is spent."""
        expired = self.scope.expired
        if self.steps < 0 or (expired is not None and expired()):
            raise BudgetError("The expression takes too long: it was stopped")

    def charge(self, size: int) -> None:
        """Pay for a value of `size` characters or elements."""
        self.steps -= size // SIZE_PER_STEP
        if self.steps < 0:
            raise BudgetError("The expression builds a value that is too large: it was stopped")

    def json(self) -> Any:
        """`$json`: the json of the current item."""
        return self.item()["json"]

    def item(self) -> dict[str, Any]:
        """The current item of input 0."""
        items = self.scope.items
        if self.index < len(items):
            return items[self.index]
        raise ExpressionError("No execution data available")

    def own(self, value: Any) -> Any:
        """A deep copy of scope data which this evaluation may change, the same one each time."""
        if type(value) is not dict and type(value) is not list:
            return value
        if self._copies is None:
            self._copies = {}
        known = self._copies.get(id(value))
        if known is None:
            # The original is kept alive, so that its id stays its own.
            known = self._copies[id(value)] = (value, copy.deepcopy(value))
        return known[1]
