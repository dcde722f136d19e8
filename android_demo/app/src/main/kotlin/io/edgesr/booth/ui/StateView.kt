package io.edgesr.booth.ui

import android.content.Context
import android.view.Gravity
import android.view.View
import android.widget.ImageView
import android.widget.LinearLayout
import io.edgesr.booth.R

/** An empty or failed screen: an icon, what is the case, a sentence, and a way out. */
internal class StateView(context: Context, icon: Int, title: Int, text: Int, action: Int, second: Pair<Int, () -> Unit>? = null, run: () -> Unit) : LinearLayout(context) {
    init {
        id = R.id.state
        orientation = VERTICAL
        gravity = Gravity.CENTER
        setPadding(0, context.size(R.dimen.four), 0, context.size(R.dimen.four))
        accessibilityLiveRegion = View.ACCESSIBILITY_LIVE_REGION_POLITE
        val image = ImageView(context)
        image.setImageResource(icon)
        image.setColorFilter(context.getColor(R.color.on_tonal))
        image.background = android.graphics.drawable.GradientDrawable().apply {
            shape = android.graphics.drawable.GradientDrawable.OVAL
            setColor(context.getColor(R.color.tonal))
        }
        image.scaleType = ImageView.ScaleType.CENTER
        addView(image, LayoutParams(context.dp(72), context.dp(72)))
        val heading = context.text(R.style.Text_Title, title)
        heading.id = R.id.state_title
        heading.isAccessibilityHeading = true
        centred(heading, R.dimen.three)
        val sentence = context.text(R.style.Text_Body, text)
        sentence.id = R.id.state_text
        sentence.setTextColor(context.getColor(R.color.ink_2))
        centred(sentence, R.dimen.one)
        val button = context.button(R.style.Button_Tonal, action)
        button.id = R.id.state_action
        button.setOnClickListener { run() }
        addView(button, LayoutParams(WRAP, WRAP).apply { topMargin = context.size(R.dimen.three) })
        if (second != null) {
            val other = context.button(R.style.Button_Plain, second.first)
            other.id = R.id.choose
            other.setOnClickListener { second.second() }
            addView(other, LayoutParams(WRAP, WRAP).apply { topMargin = context.size(R.dimen.one) })
        }
    }

    private fun centred(view: android.widget.TextView, space: Int) {
        view.textAlignment = View.TEXT_ALIGNMENT_CENTER
        view.maxWidth = context.dp(360)
        addView(view, LayoutParams(WRAP, WRAP).apply { topMargin = context.size(space) })
    }
}
