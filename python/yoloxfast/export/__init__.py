"""ONNX graphs, and what is changed in them."""
