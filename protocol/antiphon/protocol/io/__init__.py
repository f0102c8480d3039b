"""The one place where the protocol meets gRPC: channels and servers, status codes, interceptors."""
