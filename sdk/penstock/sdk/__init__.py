"""What node authors import: nodes, calls, outcomes and the test kit."""
