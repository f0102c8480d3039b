"""Scripted replicas over gRPC, and the run."""
