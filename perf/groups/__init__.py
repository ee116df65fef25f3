"""The benchmark groups: ten views of one running pipeline, each beside a limit that was measured in the same run."""
