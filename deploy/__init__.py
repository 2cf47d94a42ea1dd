"""Requests to answers: the web service, its JSON API, its pages and its command line."""
