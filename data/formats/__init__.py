"""One module a format; each offers `matches(path)` and `read(path, problems)`."""
