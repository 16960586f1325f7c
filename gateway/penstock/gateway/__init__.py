"""The gateway: HTTP in front of the actors. Webhooks, the REST API, live events.

It holds no truth: routes are watched, executions belong to partition owners, history to a view.
Kill it at any moment, and all that is lost is requests that were not answered yet.
"""
