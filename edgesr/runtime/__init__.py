"""Host runtimes: one interface over torch, ExecuTorch, LiteRT, ONNX Runtime, a browser and, on a Mac, Core ML."""
