"""Each agent's keys, and the encryption of all that is written of it.

``master`` is where the installation's one key comes from, ``key_file`` and ``keys`` hold a random key per agent wrapped by it,
``box`` seals bytes, ``sealing`` is the codec through which every record goes to a topic or a store. Destroying an agent's key
makes all copies of its records unreadable at once, wherever they lie.
"""
