"""Hostile input as data: bodies, records and requests that nobody should send, each with what has to come of it."""
