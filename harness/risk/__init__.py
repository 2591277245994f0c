"""Risk figures of many runs, and the closed forms that stand beside simulated bounds."""
