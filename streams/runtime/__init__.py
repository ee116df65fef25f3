"""The one consume-transform-produce loop."""
