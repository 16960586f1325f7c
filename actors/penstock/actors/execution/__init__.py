"""The execution behaviour: a pure state machine of one run of a Plan."""
