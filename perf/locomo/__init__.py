"""Retrieval measured on LoCoMo; see ``__main__``."""
