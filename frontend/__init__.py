"""The only room that knows torch: loads a model file, captures it with torch.export, lowers ATen to the graph."""
