"""The client's side effects: gRPC, files, threads, the clock."""
