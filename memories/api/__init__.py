"""Conversations and memories over HTTP."""
