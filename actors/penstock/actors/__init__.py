"""The stateful heart: partitions own actors, the journal is the truth, everything else follows."""
