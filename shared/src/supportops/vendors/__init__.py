"""Other people's servers that more than one service calls: a thin client each, only the calls we use."""
