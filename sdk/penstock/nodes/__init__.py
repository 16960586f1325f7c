"""The built-in nodes, written with the SDK as a third party would write them."""
