"""What becomes of a step whose worker ended, or that is given none: an error for people to read."""

import os
import signal

from penstock.sandbox_host.lane import Job
from penstock.subjects.errors import ErrorInfo
from penstock.subjects.messages import Outcome

_REASONS = {
    "timeout": "Code execution timed out after {seconds:g} s",
    "memory": "The code used more memory than a sandbox may",
}


def ending(status: int) -> str:
    """Why a worker that nobody killed is gone; only the kernel kills it, for memory."""
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "memory"
    if os.WIFSIGNALED(status):
        return f"ended by signal {os.WTERMSIG(status)}"
    return f"ended with status {os.WEXITSTATUS(status)}"


def fail(job: Job, reason: str) -> None:
    """End a job with an error: the worker was lost while it ran, for this reason."""
    words = _REASONS.get(reason, "The sandbox ended the code: {reason}")
    message = words.format(seconds=job.step.timeout_ms / 1000, reason=reason)
    error = ErrorInfo(message=message, name="SandboxError")
    job.on_outcome(Outcome(outputs=None, error=error))


def refused(why: str) -> Outcome:
    """The outcome of every step where user code is not run."""
    return Outcome(
        outputs=None,
        error=ErrorInfo(
            message=f"User code is not run here: {why}",
            name="SandboxError",
            description="Run `penstock doctor` on the sandbox host to see what is missing.",
        ),
    )
