"""The ways in: the command line, HTTP and the library, all translation and no decision."""
