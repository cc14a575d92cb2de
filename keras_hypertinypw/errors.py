"""The one exception of this package's own."""


class ConversionError(ValueError):
    """A model or a file cannot be converted, read or verified."""
