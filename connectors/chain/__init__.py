"""Sources of blocks: EVM nodes, history files, the development chain."""
