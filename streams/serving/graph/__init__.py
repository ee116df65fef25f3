"""The knowledge graph as the gateway reads it: events from graph.edges, filtered by the chain view, as of any block.

``table`` holds the events; ``tail`` follows the topic; ``reads`` makes snapshots of it and answers from them.
"""
