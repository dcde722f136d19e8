package io.edgesr.booth.ui

import android.app.Activity
import android.content.Context
import android.os.Build
import android.view.Gravity
import android.view.View
import android.view.ViewGroup
import android.view.WindowInsets
import android.widget.FrameLayout
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.ScrollView
import android.widget.TextView
import io.edgesr.booth.R

/** The few building blocks that every screen is made of. */
internal const val MATCH = ViewGroup.LayoutParams.MATCH_PARENT
internal const val WRAP = ViewGroup.LayoutParams.WRAP_CONTENT

internal fun Context.size(dimension: Int): Int = resources.getDimensionPixelSize(dimension)

internal fun Context.dp(count: Int): Int = Math.round(count * resources.displayMetrics.density)

internal fun Context.text(style: Int, content: CharSequence = ""): TextView = TextView(this, null, 0, style).apply { text = content }

internal fun Context.text(style: Int, content: Int): TextView = text(style, getString(content))

/** A button with an icon before its label. */
internal fun Context.button(style: Int, label: Int, icon: Int = 0): TextView = TextView(this, null, 0, style).apply {
    setText(label)
    if (icon != 0) {
        // The icon stands right before the label, not at the button's edge: an inline image does that.
        val drawable = context.getDrawable(icon)!!.mutate()
        drawable.setTint(currentTextColor)
        drawable.setBounds(0, 0, context.dp(20), context.dp(20))
        val written = android.text.SpannableString("\u2003\u2002$text")
        written.setSpan(CentredImage(drawable), 0, 1, android.text.Spanned.SPAN_EXCLUSIVE_EXCLUSIVE)
        contentDescription = text
        text = written
    }
    accessibilityDelegate = ButtonRole
}

/** Says to TalkBack that a text is a button. */
internal object ButtonRole : View.AccessibilityDelegate() {
    override fun onInitializeAccessibilityNodeInfo(host: View, info: android.view.accessibility.AccessibilityNodeInfo) {
        super.onInitializeAccessibilityNodeInfo(host, info)
        info.className = "android.widget.Button"
    }
}

internal fun Context.iconButton(icon: Int, label: Int): ImageView = ImageView(this).apply {
    setImageResource(icon)
    setColorFilter(context.getColor(R.color.ink))
    setBackgroundResource(R.drawable.button_plain)
    scaleType = ImageView.ScaleType.CENTER
    contentDescription = context.getString(label)
    layoutParams = LinearLayout.LayoutParams(size(R.dimen.touch), size(R.dimen.touch))
    isClickable = true
    isFocusable = true
    accessibilityDelegate = ButtonRole
}

internal fun Context.column(gap: Int = 0): LinearLayout = LinearLayout(this).apply {
    orientation = LinearLayout.VERTICAL
    if (gap != 0) spaced(gap)
}

internal fun Context.row(gap: Int = 0): LinearLayout = LinearLayout(this).apply {
    orientation = LinearLayout.HORIZONTAL
    gravity = Gravity.CENTER_VERTICAL
    if (gap != 0) spaced(gap)
}

private fun LinearLayout.spaced(gap: Int) {
    dividerDrawable = android.graphics.drawable.GradientDrawable().apply { setSize(context.size(gap), context.size(gap)) }
    showDividers = LinearLayout.SHOW_DIVIDER_MIDDLE
}

internal fun LinearLayout.add(view: View, width: Int = MATCH, height: Int = WRAP, weight: Float = 0f): View {
    addView(view, LinearLayout.LayoutParams(width, height, weight))
    return view
}

internal fun View.padded(dimension: Int): View = also {
    val space = context.size(dimension)
    it.setPadding(space, space, space, space)
}

/** A card on the paper. */
internal fun Context.card(gap: Int = R.dimen.one): LinearLayout = column(gap).apply {
    setBackgroundResource(R.drawable.card)
    padded(R.dimen.two)
}

/** A segmented control: one of several is chosen. */
internal fun Context.segments(choices: List<Pair<Int, Int>>, chosen: Int, choose: (Int) -> Unit): LinearLayout = row().apply {
    setBackgroundResource(R.drawable.segments)
    setPadding(dp(4), dp(4), dp(4), dp(4))
    for ((id, label) in choices) {
        val one = text(R.style.Text_Label, label).apply {
            this.id = id
            gravity = Gravity.CENTER
            textAlignment = View.TEXT_ALIGNMENT_CENTER
            setBackgroundResource(R.drawable.segment)
            setTextColor(context.getColorStateList(R.color.segment_text))
            isSelected = id == chosen
            isClickable = true
            isFocusable = true
            minHeight = dp(48)
            accessibilityDelegate = ButtonRole
            setOnClickListener { view ->
                for (i in 0 until childCount) getChildAt(i).isSelected = getChildAt(i) === view
                choose(id)
            }
        }
        add(one, 0, WRAP, 1f)
    }
}

/** A screen: an optional bar with a way back, and content that scrolls and stays readable on a tablet. */
internal fun Activity.screen(title: Int?, content: View, fixed: View? = null, wide: Boolean = false) {
    val root = column()
    root.setBackgroundColor(getColor(R.color.paper))
    if (title != null) {
        val bar = row(R.dimen.one)
        bar.setPadding(size(R.dimen.half), size(R.dimen.half), size(R.dimen.two), size(R.dimen.half))
        val back = iconButton(R.drawable.ic_back, R.string.back)
        back.id = R.id.back
        back.drawable.isAutoMirrored = true
        back.setOnClickListener { finish() }
        bar.addView(back)
        bar.add(text(R.style.Text_Title, title).apply { if (Build.VERSION.SDK_INT >= 28) isAccessibilityHeading = true }, 0, WRAP, 1f)
        root.add(bar)
    }
    val scroll = ScrollView(this)
    scroll.isFillViewport = true
    scroll.clipToPadding = false
    scroll.addView(Column(this, content, wide), FrameLayout.LayoutParams(MATCH, MATCH))
    root.add(scroll, MATCH, 0, 1f)
    if (fixed != null) root.add(Column(this, fixed, wide), MATCH, WRAP)
    setContentView(root)
    edgeToEdge(root)
}

/** Draw behind the system's bars, and keep content out from under them. */
internal fun Activity.edgeToEdge(root: View) {
    if (Build.VERSION.SDK_INT >= 30) {
        window.setDecorFitsSystemWindows(false)
    } else {
        @Suppress("DEPRECATION")
        window.decorView.systemUiVisibility = window.decorView.systemUiVisibility or
            View.SYSTEM_UI_FLAG_LAYOUT_STABLE or View.SYSTEM_UI_FLAG_LAYOUT_FULLSCREEN or View.SYSTEM_UI_FLAG_LAYOUT_HIDE_NAVIGATION
    }
    root.setOnApplyWindowInsetsListener { view, insets ->
        if (Build.VERSION.SDK_INT >= 30) {
            val bars = insets.getInsets(WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout())
            view.setPadding(bars.left, bars.top, bars.right, bars.bottom)
        } else {
            @Suppress("DEPRECATION")
            view.setPadding(insets.systemWindowInsetLeft, insets.systemWindowInsetTop, insets.systemWindowInsetRight, insets.systemWindowInsetBottom)
        }
        insets
    }
}

/** Its one child, centred and no wider than text should be. */
internal class Column(context: Context, child: View, private val wide: Boolean) : FrameLayout(context) {
    init {
        addView(child, LayoutParams(MATCH, MATCH, Gravity.CENTER_HORIZONTAL))
    }

    override fun onMeasure(width: Int, height: Int) {
        val side = context.size(R.dimen.three)
        val most = context.size(R.dimen.column) * (if (wide) 2 else 1)
        val given = MeasureSpec.getSize(width)
        val margin = maxOf(side, (given - most) / 2)
        setPadding(margin, 0, margin, 0)
        super.onMeasure(width, height)
    }
}

/** An inline image in the middle of its line. */
private class CentredImage(drawable: android.graphics.drawable.Drawable) : android.text.style.ImageSpan(drawable) {
    override fun draw(
        canvas: android.graphics.Canvas, text: CharSequence?, start: Int, end: Int, x: Float, top: Int, y: Int, bottom: Int,
        paint: android.graphics.Paint,
    ) {
        canvas.save()
        canvas.translate(x, top + (bottom - top - drawable.bounds.height()) / 2f)
        drawable.draw(canvas)
        canvas.restore()
    }
}

/** Paddings of a screen's content above and below. */
internal fun View.breathing(): View = also { setPadding(0, context.size(R.dimen.one), 0, context.size(R.dimen.three)) }
