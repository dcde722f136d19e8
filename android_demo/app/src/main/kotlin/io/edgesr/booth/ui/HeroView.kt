package io.edgesr.booth.ui

import android.animation.ValueAnimator
import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Paint
import android.graphics.Path
import android.graphics.Rect
import android.graphics.RectF
import android.view.View
import android.view.animation.DecelerateInterpolator

/** The app in one picture: a drawn face, coarse on one side of a line and clear on the other. */
internal class HeroView(context: Context) : View(context) {
    private val paint = Paint(Paint.ANTI_ALIAS_FLAG or Paint.FILTER_BITMAP_FLAG)
    private val fine: Bitmap by lazy { Bitmap.createBitmap(480, 480, Bitmap.Config.ARGB_8888).also { draw(Canvas(it), 480f) } }
    private val coarse: Bitmap by lazy { Bitmap.createScaledBitmap(Bitmap.createScaledBitmap(fine, 48, 48, true), 12, 12, true) }
    private var split = 0.5f

    override fun onAttachedToWindow() {
        super.onAttachedToWindow()
        if (!ValueAnimator.areAnimatorsEnabled()) return
        ValueAnimator.ofFloat(1f, 0.5f).apply {
            duration = 900
            interpolator = DecelerateInterpolator(1.5f)
            addUpdateListener {
                split = it.animatedValue as Float
                invalidate()
            }
        }.start()
    }

    override fun onDraw(canvas: Canvas) {
        val circle = Path().apply { addCircle(width / 2f, height / 2f, width / 2f, Path.Direction.CW) }
        val whole = RectF(0f, 0f, width.toFloat(), height.toFloat())
        canvas.save()
        canvas.clipPath(circle)
        paint.isFilterBitmap = true
        canvas.drawBitmap(fine, null, whole, paint)
        canvas.save()
        canvas.clipRect(0f, 0f, width * split, height.toFloat())
        paint.isFilterBitmap = false
        canvas.drawBitmap(coarse, Rect(0, 0, coarse.width, coarse.height), whole, paint)
        canvas.restore()
        paint.color = Color.WHITE
        val half = context.dp(2)
        canvas.drawRect(width * split - half, 0f, width * split + half, height.toFloat(), paint)
        canvas.restore()
    }

    private fun draw(canvas: Canvas, s: Float) {
        val p = Paint(Paint.ANTI_ALIAS_FLAG)
        fun fill(colour: Long) = p.apply {
            style = Paint.Style.FILL
            color = colour.toInt()
        }
        fun stroke(colour: Long, width: Float) = p.apply {
            style = Paint.Style.STROKE
            strokeWidth = width * s
            strokeCap = Paint.Cap.ROUND
            color = colour.toInt()
        }
        canvas.drawColor(0xFFF3B98E.toInt())
        canvas.drawOval(0.10f * s, 0.80f * s, 0.90f * s, 1.35f * s, fill(0xFF2F5D62))
        canvas.drawOval(0.20f * s, 0.12f * s, 0.80f * s, 0.86f * s, fill(0xFF3A2318))
        canvas.drawRect(0.42f * s, 0.66f * s, 0.58f * s, 0.86f * s, fill(0xFFB9714A))
        canvas.drawOval(0.29f * s, 0.22f * s, 0.71f * s, 0.78f * s, fill(0xFFD58E62))
        val fringe = Path()
        fringe.moveTo(0.27f * s, 0.44f * s)
        fringe.cubicTo(0.25f * s, 0.10f * s, 0.75f * s, 0.10f * s, 0.73f * s, 0.44f * s)
        fringe.cubicTo(0.66f * s, 0.30f * s, 0.52f * s, 0.27f * s, 0.44f * s, 0.29f * s)
        fringe.cubicTo(0.36f * s, 0.31f * s, 0.31f * s, 0.36f * s, 0.27f * s, 0.44f * s)
        canvas.drawPath(fringe, fill(0xFF3A2318))
        for (side in intArrayOf(-1, 1)) {
            val x = (0.5f + side * 0.095f) * s
            canvas.drawOval(x - 0.036f * s, 0.455f * s, x + 0.036f * s, 0.50f * s, fill(0xFFFFF6EE))
            canvas.drawCircle(x, 0.478f * s, 0.021f * s, fill(0xFF40261A))
            canvas.drawCircle(x + 0.006f * s, 0.471f * s, 0.006f * s, fill(0xFFFFFFFF))
            canvas.drawArc(x - 0.05f * s, 0.41f * s, x + 0.05f * s, 0.47f * s, 200f, 140f, false, stroke(0xFF3A2318, 0.012f))
            canvas.drawCircle((0.5f + side * 0.14f) * s, 0.585f * s, 0.04f * s, fill(0x33C0392B))
        }
        val nose = Path()
        nose.moveTo(0.505f * s, 0.48f * s)
        nose.quadTo(0.475f * s, 0.57f * s, 0.50f * s, 0.578f * s)
        canvas.drawPath(nose, stroke(0xFFAE6A43, 0.012f))
        canvas.drawArc(0.425f * s, 0.575f * s, 0.575f * s, 0.685f * s, 25f, 130f, false, stroke(0xFF8E3B2E, 0.020f))
    }
}
