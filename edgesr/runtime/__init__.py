"""Host runtimes: one interface over torch, ExecuTorch, LiteRT, ONNX Runtime, onnxruntime-web in a browser, and, on a Mac, Core ML."""
