"""Columns as ClickHouse's Native format has them, made of whole arrays instead of value by value."""
