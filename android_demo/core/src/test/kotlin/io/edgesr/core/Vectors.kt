package io.edgesr.core

import java.io.File
import kotlin.math.log10

/** What Python computed (`make android-assets`), and the repository's own test files. */
object Vectors {
    val root = File(System.getProperty("edgesr.root"))
    val testdata = File(root, "testdata")
    val galleries = File(root.parentFile, "tests/data/galleries")
    val all: Map<*, *> by lazy { Json.parse(File(testdata, "vectors.json").readBytes()) as Map<*, *> }
    val precisions: List<String> get() = all.keys.map { it as String }.filter { it.startsWith("restored-") }.map { it.removePrefix("restored-") }

    fun photo(name: String) = File(testdata, "photos/$name")

    fun map(value: Any?) = value as Map<*, *>

    fun doubles(value: Any?) = (value as List<*>).map { (it as Number).toDouble() }

    fun points(value: Any?) = (value as List<*>).map { doubles(it).let { (x, y) -> Point(x, y) } }

    fun pixels(width: Int, value: Any?): Pixels {
        val listed = value as List<*>
        return Pixels(width, listed.size / 3 / width, ByteArray(listed.size) { (listed[it] as Long).toInt().toByte() })
    }

    /** A square picture, of the size that its network has. */
    fun square(value: Any?): Pixels = pixels(kotlin.math.sqrt((value as List<*>).size / 3.0).toInt(), value)

    /**
     * dB at which a face of identical LR pixels has to be to Python's, which another version of TFLite computes. Of another
     * network than the booth's own int8 may differ by what the parity gate allows two versions: x8's is at 48.7 dB.
     */
    fun leastToPython(manifest: Manifest): Double =
        if (manifest.precision != "int8" || manifest.name.startsWith("hime-small-x4-photo")) 50.0 else 45.0

    /** A JPEG decoded by the JVM: close to, not the same as, what Python decodes. */
    fun decode(file: File): Pixels {
        val image = javax.imageio.ImageIO.read(file)
        return Pixels.fromArgb(image.width, image.height, image.getRGB(0, 0, image.width, image.height, null, 0, image.width))
    }

    fun psnr(a: Pixels, b: Pixels): Double {
        var sum = 0.0
        for (i in a.rgb.indices) sum += ((a.rgb[i].toInt() and 255) - (b.rgb[i].toInt() and 255)).let { it * it }.toDouble()
        return if (sum == 0.0) 99.0 else 10 * log10(255.0 * 255 * a.rgb.size / sum)
    }

    fun furthest(a: List<Point>, b: List<Point>) = a.zip(b).maxOf { (p, q) -> kotlin.math.hypot(p.x - q.x, p.y - q.y) }
}
