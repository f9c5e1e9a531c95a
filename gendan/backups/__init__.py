"""Backup and restore: both databases in one file, whole or not at all."""
