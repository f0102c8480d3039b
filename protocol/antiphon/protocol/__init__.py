"""What all parties agree on: values, the stage table, sessions, the codec. Pure but for `io/`."""
