"""Our schema registry beside Apicurio Registry, call by call; see ``__main__``."""
