"""OTP-style supervision: child specs, strategies, restart intensity, escalation.

One tree supervises operating-system processes (`process_child`) and parts of a process
(`task_child`); `supervisor_child` nests trees. Start here: `spec` (what can be said about a
child), `supervisor` (what is done about it), `stack` (the tree behind `penstock up`).
"""
