"""Ground floor: what travels between the programs of Penstock, and over what.

Everything above meets here and only here: subject names, messages, the codec, stream
declarations, the bus port and its adapters, identifiers, clocks and errors.
"""
