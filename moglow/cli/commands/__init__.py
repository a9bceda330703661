"""One file for each command: it parses the options, calls the library and prints the result."""
