package org.tensorflow.lite;

import static org.bytedeco.tensorflowlite.global.tensorflowlite.*;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.HashMap;
import java.util.Map;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.tensorflowlite.TfLiteInterpreter;
import org.bytedeco.tensorflowlite.TfLiteInterpreterOptions;
import org.bytedeco.tensorflowlite.TfLiteModel;
import org.bytedeco.tensorflowlite.TfLiteSignatureRunner;
import org.bytedeco.tensorflowlite.TfLiteTensor;

/**
 * For tests on a computer only: the methods of TFLite's Java interpreter that the engine calls, over the C library of
 * TFLite 2.18 for Linux (the Android library does not load there). The models, their operators and their arithmetic are
 * real; TFLite's own Java layer is what the phone brings.
 */
public final class Interpreter implements AutoCloseable {
  /** As on Android. */
  public static class Options {
    int threads = 1;

    public Options setNumThreads(int count) {
      threads = count;
      return this;
    }
  }

  private final BytePointer content;
  private final TfLiteModel model;
  private final TfLiteInterpreter interpreter;
  private final Map<String, TfLiteSignatureRunner> runners = new HashMap<>();

  public Interpreter(ByteBuffer buffer, Options options) {
    byte[] bytes = new byte[buffer.capacity()];
    buffer.duplicate().rewind().get(bytes);
    content = new BytePointer(bytes);
    model = TfLiteModelCreate(content, bytes.length);
    if (model == null || model.isNull()) throw new IllegalArgumentException("ByteBuffer is not a valid TensorFlow Lite model");
    TfLiteInterpreterOptions chosen = TfLiteInterpreterOptionsCreate();
    TfLiteInterpreterOptionsSetNumThreads(chosen, options.threads);
    interpreter = TfLiteInterpreterCreate(model, chosen);
    TfLiteInterpreterOptionsDelete(chosen);
    if (interpreter == null || interpreter.isNull()) throw new IllegalArgumentException("Cannot create an interpreter");
  }

  public void runSignature(Map<String, Object> inputs, Map<String, Object> outputs, String key) {
    TfLiteSignatureRunner runner = runners.computeIfAbsent(key, this::open);
    for (Map.Entry<String, Object> input : inputs.entrySet()) {
      TfLiteTensor tensor = TfLiteSignatureRunnerGetInputTensor(runner, input.getKey());
      FloatBuffer values = floats(input.getValue(), tensor, input.getKey());
      float[] given = new float[values.capacity()];
      values.get(given);
      new FloatPointer(TfLiteTensorData(tensor)).capacity(given.length).put(given);
    }
    check(TfLiteSignatureRunnerInvoke(runner), "invoke");
    for (Map.Entry<String, Object> output : outputs.entrySet()) {
      TfLiteTensor tensor = TfLiteSignatureRunnerGetOutputTensor(runner, output.getKey());
      FloatBuffer values = floats(output.getValue(), tensor, output.getKey());
      float[] result = new float[values.capacity()];
      new FloatPointer(TfLiteTensorData(tensor)).capacity(result.length).get(result);
      values.put(result);
    }
  }

  private TfLiteSignatureRunner open(String key) {
    TfLiteSignatureRunner runner = TfLiteInterpreterGetSignatureRunner(interpreter, key);
    if (runner == null || runner.isNull()) throw new IllegalArgumentException("No signature " + key);
    check(TfLiteSignatureRunnerAllocateTensors(runner), "allocate");
    return runner;
  }

  private static FloatBuffer floats(Object given, TfLiteTensor tensor, String name) {
    if (tensor == null || tensor.isNull()) throw new IllegalArgumentException("No tensor " + name);
    ByteBuffer buffer = (ByteBuffer) given;
    if (buffer.remaining() != TfLiteTensorByteSize(tensor)) {
      throw new IllegalArgumentException(name + " has " + TfLiteTensorByteSize(tensor) + " bytes, not " + buffer.remaining());
    }
    return buffer.asFloatBuffer();
  }

  private static void check(int status, String what) {
    if (status != 0) throw new IllegalArgumentException("TFLite cannot " + what);
  }

  @Override
  public void close() {
    for (TfLiteSignatureRunner runner : runners.values()) TfLiteSignatureRunnerDelete(runner);
    TfLiteInterpreterDelete(interpreter);
    TfLiteModelDelete(model);
    content.close();
  }
}
