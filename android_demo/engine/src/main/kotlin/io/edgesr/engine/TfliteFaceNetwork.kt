package io.edgesr.engine

import io.edgesr.core.BundleException
import io.edgesr.core.FaceNetwork
import io.edgesr.core.Json
import io.edgesr.core.Manifest
import io.edgesr.core.Pixels
import java.io.Closeable
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** YuNet on TFLite: `detector.tflite` and its `detector.json`, made by `make android-assets`. */
class TfliteFaceNetwork private constructor(model: ByteBuffer, private val sides: Map<String, Int>, threads: Int) :
    FaceNetwork, Closeable {
    private val interpreter = openInterpreter(model, threads)
    private val inputs = sides.mapValues { ByteBuffer.allocateDirect(4 * 3 * it.value * it.value).order(ByteOrder.nativeOrder()) }
    private val mask = sides.getValue("detect").let { ByteBuffer.allocateDirect(4 * it * it).order(ByteOrder.nativeOrder()) }
    private val outputs = sides.mapValues { (_, side) ->
        STRIDES.flatMap { stride ->
            val cells = side / stride * (side / stride)
            CHANNELS.map { (name, count) -> Pair("${name}_$stride", ByteBuffer.allocateDirect(4 * cells * count).order(ByteOrder.nativeOrder())) }
        }.toMap()
    }

    override fun side(signature: String): Int = sides.getValue(signature)

    override fun run(signature: String, picture: Pixels): Map<String, FloatArray> {
        val side = side(signature)
        require(picture.width <= side && picture.height <= side) { "${picture.width} x ${picture.height} on $side" }
        val input = inputs.getValue(signature)
        val floats = input.also { it.rewind() }.asFloatBuffer()
        val row = FloatArray(side * 3)
        for (y in 0 until side) {
            row.fill(0f)
            if (y < picture.height) {
                for (x in 0 until picture.width) for (c in 0..2) row[3 * x + c] = picture.at(x, y, 2 - c).toFloat()
            }
            floats.put(row)
        }
        val given = LinkedHashMap<String, Any>()
        given["input"] = input
        if (signature == "detect") given["mask"] = mask(side, (picture.width + 31) / 32 * 32, (picture.height + 31) / 32 * 32)
        val results = outputs.getValue(signature)
        results.values.forEach { it.rewind() }
        try {
            interpreter.runSignature(given, results.mapValues { it.value as Any }, signature)
        } catch (error: IllegalArgumentException) {
            throw EngineException("TFLite refused to run the face detector", "it is not the one that its description describes", error)
        }
        return results.mapValues { (_, buffer) ->
            buffer.rewind()
            FloatArray(buffer.capacity() / 4).also { buffer.asFloatBuffer().get(it) }
        }
    }

    /** 1 where OpenCV's picture, a multiple of 32 pixels wide and high, would be: beside it the network sees nothing. */
    private fun mask(side: Int, width: Int, height: Int): ByteBuffer {
        val floats = mask.also { it.rewind() }.asFloatBuffer()
        val inside = FloatArray(side) { if (it < width) 1f else 0f }
        val outside = FloatArray(side)
        for (y in 0 until side) floats.put(if (y < height) inside else outside)
        mask.rewind()
        return mask
    }

    override fun close() = interpreter.close()

    companion object {
        private val STRIDES = listOf(8, 16, 32)
        private val CHANNELS = mapOf("cls" to 1, "obj" to 1, "bbox" to 4, "kps" to 10)
        private val SIGNATURES = listOf("detect", "look")

        /**
         * Open the detector after checking its hash.
         *
         * @throws BundleException where it is missing or damaged.
         * @throws EngineException where TFLite does not run on this device, or refuses the model.
         */
        fun open(source: BundleSource, threads: Int = 2): TfliteFaceNetwork {
            val described = source.read("detector.json")
            val fields = try {
                Json.parse(ByteArray(described.remaining()).also { described.get(it) }) as Map<*, *>
            } catch (error: RuntimeException) {
                throw BundleException("detector.json cannot be read", "install the app again", error)
            }
            val model = source.read("detector.tflite")
            if (Manifest.sha256Of(model) != fields["sha256"]) throw BundleException("the face detector is damaged", "install the app again")
            val named = fields["signatures"] as? Map<*, *> ?: emptyMap<Any, Any>()
            val sides = SIGNATURES.associateWith {
                (named[it] as? Long)?.toInt() ?: throw BundleException("detector.json has no side of $it", "install the app again")
            }
            return TfliteFaceNetwork(model.order(ByteOrder.nativeOrder()), sides, threads)
        }
    }
}
