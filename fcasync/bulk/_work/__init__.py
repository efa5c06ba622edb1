"""What a bulk job does: the loops that read, send, wait and hand out."""
