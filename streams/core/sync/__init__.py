"""What two deployments of one chain compare: digests of what the chain's records made, and of nothing else."""
