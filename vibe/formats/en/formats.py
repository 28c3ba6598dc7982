"""Dates as everybody reads them alike: the month by name, 24 hours. Times are UTC, and say so."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = r"j M Y, H:i \U\T\C"
SHORT_DATETIME_FORMAT = DATETIME_FORMAT  # with the year: memories are of many
