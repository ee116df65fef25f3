"""Record types of every topic: one .avsc file each, typed views of them, and the codec that reads and writes them."""
