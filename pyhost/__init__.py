"""pyhost: a web server in C with Python inside."""

__version__ = "0.1.0"
__all__ = ["__version__"]
