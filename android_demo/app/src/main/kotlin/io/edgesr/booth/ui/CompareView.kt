package io.edgesr.booth.ui

import android.animation.ValueAnimator
import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Paint
import android.graphics.Path
import android.graphics.Rect
import android.graphics.RectF
import android.os.Bundle
import android.view.MotionEvent
import android.view.View
import android.view.accessibility.AccessibilityNodeInfo
import android.view.animation.DecelerateInterpolator
import io.edgesr.booth.R
import kotlin.math.max
import kotlin.math.min

/** Two pictures of one scene with a line between them that follows the finger. */
class CompareView(context: Context) : View(context) {
    private var before: Bitmap? = null
    private var after: Bitmap? = null
    private val paint = Paint(Paint.FILTER_BITMAP_FLAG or Paint.ANTI_ALIAS_FLAG)
    private val rounded = Path()
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = -1 }
    private val arrow = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = context.getColor(R.color.icon_back)
        style = Paint.Style.STROKE
        strokeCap = Paint.Cap.ROUND
        strokeJoin = Paint.Join.ROUND
        strokeWidth = context.dp(2).toFloat()
    }
    private val label = Paint(Paint.ANTI_ALIAS_FLAG).apply {
        color = -1
        textSize = 12 * resources.displayMetrics.scaledDensity
        typeface = android.graphics.Typeface.create("sans-serif-medium", android.graphics.Typeface.NORMAL)
    }
    private val pill = Paint(Paint.ANTI_ALIAS_FLAG).apply { color = 0x99140D09.toInt() }
    private val words = Pair(context.getString(R.string.before), context.getString(R.string.after))

    /** Where the line is: 0 shows only the result, 1 only what was there before. */
    var split = 0.5f
        set(value) {
            field = value.coerceIn(0f, 1f)
            contentDescription = context.getString(R.string.compare_description, (field * 100).toInt())
            invalidate()
        }

    init {
        isFocusable = true
        isClickable = true
        split = 0.5f
    }

    /** Show two pictures of the same shape; [reveal] lets the line run once from the old to the new. */
    fun show(before: Bitmap, after: Bitmap, reveal: Boolean) {
        this.before = before
        this.after = after
        requestLayout()
        invalidate()
        if (!reveal || !ValueAnimator.areAnimatorsEnabled()) return
        ValueAnimator.ofFloat(0.96f, 0.5f).apply {
            duration = 700
            interpolator = DecelerateInterpolator(1.6f)
            addUpdateListener { split = it.animatedValue as Float }
        }.start()
    }

    override fun onMeasure(width: Int, height: Int) {
        val picture = after
        val wide = MeasureSpec.getSize(width)
        val tall = if (picture == null) wide else wide * picture.height / picture.width
        val most = min((resources.displayMetrics.heightPixels * (if (resources.configuration.screenWidthDp > resources.configuration.screenHeightDp) 0.72f else 0.6f)).toInt(), (wide * 1.34f).toInt())
        setMeasuredDimension(wide, if (MeasureSpec.getMode(height) == MeasureSpec.EXACTLY) MeasureSpec.getSize(height) else min(tall, most))
    }

    override fun onDraw(canvas: Canvas) {
        val old = before ?: return
        val new = after ?: return
        val at = split * width
        val radius = context.size(R.dimen.radius).toFloat()
        rounded.rewind()
        rounded.addRoundRect(0f, 0f, width.toFloat(), height.toFloat(), radius, radius, Path.Direction.CW)
        canvas.clipPath(rounded)
        canvas.drawBitmap(new, visible(new), RectF(0f, 0f, width.toFloat(), height.toFloat()), paint)
        canvas.save()
        canvas.clipRect(0f, 0f, at, height.toFloat())
        canvas.drawBitmap(old, visible(old), RectF(0f, 0f, width.toFloat(), height.toFloat()), paint)
        canvas.restore()
        word(canvas, words.first, true, at)
        word(canvas, words.second, false, at)
        val half = context.dp(1).toFloat()
        canvas.drawRect(at - half, 0f, at + half, height.toFloat(), line)
        val y = height * 0.72f
        val knob = context.dp(20).toFloat()
        canvas.drawCircle(at, y, knob, line)
        for (side in intArrayOf(-1, 1)) {
            val path = Path()
            path.moveTo(at + side * knob * 0.28f, y - knob * 0.28f)
            path.lineTo(at + side * knob * 0.56f, y)
            path.lineTo(at + side * knob * 0.28f, y + knob * 0.28f)
            canvas.drawPath(path, arrow)
        }
    }

    /** The part of a picture that fills the view. */
    private fun visible(picture: Bitmap): Rect {
        val scale = max(width.toFloat() / picture.width, height.toFloat() / picture.height)
        val w = (width / scale).toInt().coerceAtMost(picture.width)
        val h = (height / scale).toInt().coerceAtMost(picture.height)
        val left = (picture.width - w) / 2
        val top = (picture.height - h) / 2
        return Rect(left, top, left + w, top + h)
    }

    private fun word(canvas: Canvas, word: String, first: Boolean, at: Float) {
        val space = context.dp(12).toFloat()
        val wide = label.measureText(word) + 2 * space
        val tall = context.dp(28).toFloat()
        val left = if (first) space else width - space - wide
        // It goes where its side of the line has no room for it.
        if (if (first) at < left + wide + space else at > left - space) return
        canvas.drawRoundRect(left, space, left + wide, space + tall, tall / 2, tall / 2, pill)
        canvas.drawText(word, left + space, space + tall / 2 - (label.ascent() + label.descent()) / 2, label)
    }

    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (event.actionMasked == MotionEvent.ACTION_DOWN || event.actionMasked == MotionEvent.ACTION_MOVE) {
            parent?.requestDisallowInterceptTouchEvent(true)
            split = event.x / max(width, 1)
        }
        if (event.actionMasked == MotionEvent.ACTION_UP) performClick()
        return true
    }

    override fun performClick(): Boolean = super.performClick()

    override fun onInitializeAccessibilityNodeInfo(info: AccessibilityNodeInfo) {
        super.onInitializeAccessibilityNodeInfo(info)
        info.className = "android.widget.SeekBar"
        info.rangeInfo = AccessibilityNodeInfo.RangeInfo.obtain(AccessibilityNodeInfo.RangeInfo.RANGE_TYPE_PERCENT, 0f, 100f, split * 100)
        info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SCROLL_FORWARD)
        info.addAction(AccessibilityNodeInfo.AccessibilityAction.ACTION_SCROLL_BACKWARD)
    }

    override fun performAccessibilityAction(action: Int, arguments: Bundle?): Boolean {
        when (action) {
            AccessibilityNodeInfo.ACTION_SCROLL_FORWARD -> split += 0.1f
            AccessibilityNodeInfo.ACTION_SCROLL_BACKWARD -> split -= 0.1f
            else -> return super.performAccessibilityAction(action, arguments)
        }
        return true
    }
}
