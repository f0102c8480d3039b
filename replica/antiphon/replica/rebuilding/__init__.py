"""Rebuild sessions, and what other replicas' rebuilds ask of this one."""
