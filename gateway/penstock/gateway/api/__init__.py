"""REST under `/api/v1`: endpoints as data, from which routing and documentation are both made."""
