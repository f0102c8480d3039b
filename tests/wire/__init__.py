"""The wire's shape: how its code is generated, what it must look like, what may not change."""
