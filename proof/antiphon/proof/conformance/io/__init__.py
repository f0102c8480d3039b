"""The suite over real gRPC: the store it serves, the streams it opens, the run itself."""
