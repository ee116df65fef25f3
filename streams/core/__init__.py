"""Pure decisions: state in, decision out. No I/O, no clock, no randomness, no import of another package of ours."""
