"""Who may do what on the cluster: grants made from the topic map, and brought to the brokers."""
