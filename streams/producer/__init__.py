"""Block producer: reads a chain source and writes chain.blocks and chain.transactions.

``plan`` decides, ``follow`` asks the source, ``records`` makes bytes, ``kafka_log`` writes and ``resume`` reads them back,
``loop`` drives. Invariant: what is in the log is one linked history with an UNDO for every block that left it.
"""
