"""The live state of the whole deployment as a gateway sees it: reports of processes, alerts, windows, reorganisations."""
