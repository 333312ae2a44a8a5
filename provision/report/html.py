"""stub"""

from provision.report.record import Record


def page(record: Record) -> str:
    """The page."""
    return ""
