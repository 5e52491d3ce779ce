"""flup.server: fcgi and scgi, with the names of their forking and single variants."""
