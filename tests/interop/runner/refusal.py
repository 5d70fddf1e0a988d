"""The one error that ends a group, or all, before a check could run."""


class Refusal(Exception):
    """Says what is missing or went wrong, and what to do."""
