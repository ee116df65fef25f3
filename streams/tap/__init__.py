"""A reader from outside that follows the rules of docs/tapping.md, to be used as it is or read as an example."""
