package io.edgesr.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Named F32 arrays of a safetensors file: golden vectors. Other dtypes are left out. */
class Safetensors(val arrays: Map<String, FloatArray>, val shapes: Map<String, List<Int>>) {
    companion object {
        /** @throws BundleException where the bytes are no safetensors file. */
        fun decode(content: ByteArray): Safetensors {
            try {
                val data = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
                val length = data.long
                require(length in 2..content.size - 8) { "cut off" }
                val fields = Json.parse(content.copyOfRange(8, 8 + length.toInt())) as Map<*, *>
                val arrays = LinkedHashMap<String, FloatArray>()
                val shapes = LinkedHashMap<String, List<Int>>()
                for ((name, value) in fields) {
                    val tensor = value as Map<*, *>
                    if (name == "__metadata__" || tensor["dtype"] != "F32") continue
                    val (first, end) = (tensor["data_offsets"] as List<*>).map { Math.toIntExact(8 + length + it as Long) }
                    val shape = (tensor["shape"] as List<*>).map { (it as Long).toInt() }
                    val count = shape.fold(1) { a, b -> a * b }
                    require(first in 0..end && end <= content.size && end - first == 4 * count) { "$name lies outside" }
                    data.position(first)
                    arrays[name as String] = FloatArray(count) { data.float }
                    shapes[name] = shape
                }
                return Safetensors(arrays, shapes)
            } catch (error: RuntimeException) {
                throw BundleException("no safetensors file: ${error.message}", cause = error)
            }
        }
    }
}
