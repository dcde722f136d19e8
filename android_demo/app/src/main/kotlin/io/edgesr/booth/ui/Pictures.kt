package io.edgesr.booth.ui

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Path
import android.widget.ImageView
import io.edgesr.booth.R
import io.edgesr.core.Bicubic
import io.edgesr.core.Descriptor
import io.edgesr.core.Pixels
import kotlin.math.abs

/** Pictures that explain: heatmaps of exemplars, and what a stored description amounts to. */
internal object Pictures {
    private const val OPACITY = 0.5f

    /** Exemplar [n]'s share of all weights at each LR pixel, over the [face]; and its mean. */
    fun heatmap(face: Pixels, weights: FloatArray, n: Int, slots: Int, used: Int): Pair<Pixels, Float> {
        val count = weights.size / slots
        val side = Math.round(Math.sqrt(count.toDouble())).toInt()
        val share = FloatArray(count * 3)
        var mean = 0f
        for (i in 0 until count) {
            var total = 0f
            for (k in 0 until used) total += weights[k * count + i]
            val part = if (total > 1e-6f) weights[n * count + i] / total else 0f
            mean += part / count
            for (c in 0..2) share[3 * i + c] = part
        }
        val large = Bicubic.resize(share, side, side, face.width, face.height)
        val result = Pixels(face.width, face.height)
        for (i in 0 until face.width * face.height) {
            val luma = 0.299f * (face.rgb[3 * i].toInt() and 255) + 0.587f * (face.rgb[3 * i + 1].toInt() and 255) + 0.114f * (face.rgb[3 * i + 2].toInt() and 255)
            val four = 4 * large[3 * i].coerceIn(0f, 1f)
            for (c in 0..2) {
                val jet = (1.5f - abs(four - (3 - c))).coerceIn(0f, 1f) * 255
                result.rgb[3 * i + c] = ((1 - OPACITY) * luma + OPACITY * jet).toInt().toByte()
            }
        }
        return Pair(result, mean)
    }

    /** The picture that a descriptor amounts to: 8 x 8 cells of light, 4 x 4 of colour. */
    fun remembered(descriptor: FloatArray): Pixels {
        val grid = Descriptor.GRID
        val small = FloatArray(grid * grid * 3)
        val colours = FloatArray(4 * 4 * 3)
        for (i in 0 until 16) {
            colours[3 * i] = descriptor[Descriptor.CONTRAST + 1 + i]
            colours[3 * i + 2] = descriptor[Descriptor.CONTRAST + 17 + i]
        }
        val tint = Bicubic.resize(colours, 4, 4, grid, grid)
        for (i in 0 until grid * grid) {
            val luma = descriptor[i] * descriptor[Descriptor.CONTRAST] + descriptor[Descriptor.MEAN]
            val red = tint[3 * i]
            val blue = tint[3 * i + 2]
            small[3 * i] = luma + red
            small[3 * i + 1] = luma - (0.299f * red + 0.114f * blue) / 0.587f
            small[3 * i + 2] = luma + blue
        }
        return Pixels.fromUnit(grid, grid, small)
    }
}

/** An image with round corners, square unless told otherwise. */
internal class Tile(context: Context, bitmap: Bitmap?, smooth: Boolean, private val square: Boolean = true) : ImageView(context) {
    private val rounded = Path()

    init {
        if (bitmap != null) {
            setImageDrawable(android.graphics.drawable.BitmapDrawable(resources, bitmap).apply { isFilterBitmap = smooth })
        }
        scaleType = ScaleType.CENTER_CROP
        setBackgroundColor(context.getColor(R.color.surface_2))
    }

    override fun draw(canvas: Canvas) {
        val radius = context.dp(12).toFloat()
        rounded.rewind()
        rounded.addRoundRect(0f, 0f, width.toFloat(), height.toFloat(), radius, radius, Path.Direction.CW)
        canvas.save()
        canvas.clipPath(rounded)
        super.draw(canvas)
        canvas.restore()
    }

    override fun onMeasure(width: Int, height: Int) = super.onMeasure(width, if (square) width else height)
}
