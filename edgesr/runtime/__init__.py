"""Host runtimes: one interface over torch, ExecuTorch, LiteRT, ONNX Runtime and, on a Mac, Core ML."""
