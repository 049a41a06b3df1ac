"""Tables, heat maps and pages about what was compiled and simulated; draws plain values and knows no target."""
