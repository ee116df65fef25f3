"""What demos and the harness do with a running pipeline. A scene acts on it, checks what came of it, says what it counted."""
