"""What a bulk job decides: pure, and held by a test over all histories."""
