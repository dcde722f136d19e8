package io.edgesr.booth

import android.content.Intent
import android.os.Bundle
import android.widget.ImageView
import android.widget.LinearLayout
import io.edgesr.booth.ui.MATCH
import io.edgesr.booth.ui.WRAP
import io.edgesr.booth.ui.add
import io.edgesr.booth.ui.breathing
import io.edgesr.booth.ui.button
import io.edgesr.booth.ui.column
import io.edgesr.booth.ui.dp
import io.edgesr.booth.ui.row
import io.edgesr.booth.ui.screen
import io.edgesr.booth.ui.size
import io.edgesr.booth.ui.text

/** What is kept, where, and how to undo it: shown before anything is stored. */
class OnboardingActivity : BoothActivity() {
    override val title = R.string.onboarding_title

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        val content = column(R.dimen.three)
        content.setPadding(0, size(R.dimen.four), 0, size(R.dimen.three))
        content.add(heading(text(R.style.Text_Display, R.string.onboarding_title)))
        content.add(point(R.drawable.ic_face, R.string.onboarding_keeps_title, R.string.onboarding_keeps))
        content.add(point(R.drawable.ic_lock, R.string.onboarding_where_title, R.string.onboarding_where))
        content.add(point(R.drawable.ic_trash, R.string.onboarding_delete_title, R.string.onboarding_delete))
        val accept = button(R.style.Button_Filled, R.string.accept)
        accept.id = R.id.accept
        accept.setOnClickListener {
            booth.consented = true
            startActivity(Intent(this, HomeActivity::class.java))
            finish()
        }
        val foot = column()
        foot.add(accept)
        screen(null, content, foot.breathing())
    }

    private fun point(icon: Int, title: Int, text: Int): LinearLayout = row(R.dimen.two).apply {
        gravity = android.view.Gravity.TOP
        val image = ImageView(context)
        image.setImageResource(icon)
        image.setColorFilter(getColor(R.color.on_tonal))
        image.setBackgroundResource(R.drawable.button_tonal)
        image.scaleType = ImageView.ScaleType.CENTER
        addView(image, LinearLayout.LayoutParams(dp(48), dp(48)))
        val words = column(R.dimen.half)
        words.add(heading(text(R.style.Text_Label, title).apply { textSize = 16f }))
        words.add(text(R.style.Text_Body, text).apply { setTextColor(getColor(R.color.ink_2)) })
        add(words, 0, WRAP, 1f)
        layoutParams = LinearLayout.LayoutParams(MATCH, WRAP)
    }
}
