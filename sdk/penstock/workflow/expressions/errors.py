"""How an expression fails: errors of the language, errors inside of JavaScript, spent budgets.

An `ExpressionError` surfaces: the node fails with its message. A `JsThrow` is a JavaScript
exception; n8n evaluates each `{{ }}` part in a try/catch, so one that nothing catches makes its
part `undefined`. A spent budget surfaces and cannot be caught by the expression's own `try`.
"""

from typing import Any, NoReturn

from penstock.subjects.errors import ErrorInfo, PenstockError


class ExpressionError(PenstockError):
    """An expression's failure in n8n's words. `name` is n8n's class of the error."""

    def __init__(
        self,
        message: str,
        *,
        name: str = "ExpressionError",
        description: str = "",
        context: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.name = name
        self.description = description
        self.context = context or {}

    def info(self, node: str = "") -> ErrorInfo:
        """The error as it is recorded."""
        return ErrorInfo(
            message=self.message,
            name=self.name,
            description=self.description,
            node=node,
            context=self.context or None,
        )


class ForbiddenNameError(ExpressionError):
    """A member that could lead out of the data. It may as well be a field of somebody's data."""


class BudgetError(ExpressionError):
    """An expression went beyond its steps, its time or the size a value may have."""


class NeedsEngineError(Exception):
    """Raised while compiling: this construct is outside of the compiled subset."""


class InvalidSyntaxError(Exception):
    """Raised while compiling: this is not a JavaScript expression."""


class JsErrorValue:
    """An instance of a JavaScript error class."""

    __slots__ = ("kind", "message", "properties")

    def __init__(self, kind: str, message: str) -> None:
        self.kind = kind
        self.message = message
        self.properties: dict[str, Any] = {}


class JsThrow(Exception):  # noqa: N818 - the word of the language, not an error of ours
    """A JavaScript exception on its way up; `value` is what was thrown."""

    def __init__(self, value: Any) -> None:
        super().__init__(value)
        self.value = value


def throw_type(message: str) -> NoReturn:
    """Throw a JavaScript TypeError."""
    raise JsThrow(JsErrorValue("TypeError", message))


def throw_range(message: str) -> NoReturn:
    """Throw a JavaScript RangeError."""
    raise JsThrow(JsErrorValue("RangeError", message))


def throw_syntax(message: str) -> NoReturn:
    """Throw a JavaScript SyntaxError."""
    raise JsThrow(JsErrorValue("SyntaxError", message))


def extension_error(message: str) -> ExpressionError:
    """An error of one of n8n's extension methods."""
    return ExpressionError(message, name="ExpressionExtensionError")


def forbidden(name: str) -> ExpressionError:
    """The answer to a name that would lead out of the data."""
    return ForbiddenNameError(f'Cannot access "{name}" due to security concerns')


def invalid_syntax() -> ExpressionError:
    """The answer to text that is no expression."""
    return ExpressionError("invalid syntax", name="UserError")
