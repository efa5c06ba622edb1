"""What awaits: the engine that retries, and the transport that sends."""
