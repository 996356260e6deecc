"""Public data sets, mapped to the data contract. None is shipped: users point at a copy of their own."""

from data.home import DataError


class DatasetError(DataError):
    """A public data set is missing, incomplete or not the one that was named; nothing was written."""

    exit_code = 2
