"""The smallest service there can be: the engine's tables and two of its own, with a history like everybody's."""
