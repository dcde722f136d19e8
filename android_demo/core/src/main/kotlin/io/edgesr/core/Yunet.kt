package io.edgesr.core

import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/** A face: its box (left, top, width, height), five landmarks (eyes, nose, mouth corners, image left first), a score. */
class Face(val left: Double, val top: Double, val width: Double, val height: Double, val landmarks: List<Point>, val score: Double) {
    val alignment: Alignment get() = Alignment.of(landmarks)

    /** With coordinates multiplied. */
    fun scaled(x: Double, y: Double = x) =
        Face(left * x, top * y, width * x, height * y, landmarks.map { Point(it.x * x, it.y * y) }, score)

    /** At another place. */
    fun moved(x: Double, y: Double) = Face(left + x, top + y, width, height, landmarks.map { Point(it.x + x, it.y + y) }, score)

    fun with(landmarks: List<Point>) = Face(left, top, width, height, landmarks, score)
}

/** Runs YuNet's graph on a square picture: `detect` on a large one, `look` on a small one. */
interface FaceNetwork {
    /** Side in pixels of the picture that [signature] takes. */
    fun side(signature: String): Int

    /**
     * Outputs by name (`cls_8`, `obj_8`, `bbox_8`, `kps_8`, ... of strides 8, 16, 32) for a picture of at most [side] a
     * side, which lies at the upper left with zeros beside it.
     */
    fun run(signature: String, picture: Pixels): Map<String, FloatArray>
}

/** From YuNet's outputs to faces, as OpenCV's FaceDetectorYN does it. */
object Yunet {
    private val STRIDES = intArrayOf(8, 16, 32)
    private const val OVERLAP = Rules.Detector.MOST_OVERLAP
    private const val MOST = Rules.Detector.MOST_FACES

    /** Faces with a score above [threshold] in the upper left [width] x [height], the surest first. */
    fun decode(outputs: Map<String, FloatArray>, side: Int, width: Int, height: Int, threshold: Double): List<Face> {
        val found = ArrayList<Face>()
        for (stride in STRIDES) {
            val cls = outputs.getValue("cls_$stride")
            val obj = outputs.getValue("obj_$stride")
            val box = outputs.getValue("bbox_$stride")
            val kps = outputs.getValue("kps_$stride")
            val columns = side / stride
            // OpenCV pads to multiples of 32 only; cells beyond that do not exist for it.
            val lastColumn = (width + 31) / 32 * 32 / stride
            val lastRow = (height + 31) / 32 * 32 / stride
            for (row in 0 until min(lastRow, columns)) for (column in 0 until min(lastColumn, columns)) {
                val i = row * columns + column
                val score = sqrt(cls[i].coerceIn(0f, 1f) * obj[i].coerceIn(0f, 1f)).toDouble()
                if (score <= threshold) continue
                val cx = (column + box[4 * i]) * stride.toDouble()
                val cy = (row + box[4 * i + 1]) * stride.toDouble()
                val w = exp(box[4 * i + 2].toDouble()) * stride
                val h = exp(box[4 * i + 3].toDouble()) * stride
                val landmarks = List(5) { n ->
                    Point((kps[10 * i + 2 * n] + column) * stride.toDouble(), (kps[10 * i + 2 * n + 1] + row) * stride.toDouble())
                }
                found += Face(cx - w / 2, cy - h / 2, w, h, landmarks, score)
            }
        }
        val kept = ArrayList<Face>()
        for (face in found.sortedByDescending { it.score }.take(MOST)) {
            if (kept.none { overlap(it, face) > OVERLAP }) kept += face
        }
        return kept
    }

    /** Intersection over union of two boxes in whole pixels. */
    private fun overlap(a: Face, b: Face): Double {
        fun whole(f: Face) = intArrayOf(f.left.toInt(), f.top.toInt(), f.width.toInt(), f.height.toInt())
        val p = whole(a)
        val q = whole(b)
        val across = max(0, min(p[0] + p[2], q[0] + q[2]) - max(p[0], q[0]))
        val down = max(0, min(p[1] + p[3], q[1] + q[3]) - max(p[1], q[1]))
        val shared = across.toDouble() * down
        val all = p[2].toDouble() * p[3] + q[2].toDouble() * q[3] - shared
        return if (all <= 0) 0.0 else shared / all
    }
}
