package io.edgesr.booth

import android.content.Intent
import android.os.Bundle
import android.view.Gravity
import android.widget.ImageView
import android.widget.LinearLayout
import android.widget.TextView
import io.edgesr.booth.ui.HeroView
import io.edgesr.booth.ui.WRAP
import io.edgesr.booth.ui.add
import io.edgesr.booth.ui.breathing
import io.edgesr.booth.ui.button
import io.edgesr.booth.ui.card
import io.edgesr.booth.ui.column
import io.edgesr.booth.ui.dp
import io.edgesr.booth.ui.row
import io.edgesr.booth.ui.screen
import io.edgesr.booth.ui.size
import io.edgesr.booth.ui.text

/** Where everything starts: take or choose a photo, and look after the photos to learn from. */
class HomeActivity : BoothActivity() {
    override val title = R.string.app_name
    private var count: TextView? = null

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        build()
    }

    private fun build() {
        val tall = resources.configuration.let { it.screenHeightDp >= it.screenWidthDp }
        val content = column(R.dimen.three)
        content.setPadding(0, size(R.dimen.three), 0, size(R.dimen.two))
        content.gravity = Gravity.CENTER_VERTICAL
        val hero = HeroView(this)
        hero.contentDescription = getString(R.string.home_art)
        content.add(hero, dp(if (tall) 240 else 140), dp(if (tall) 240 else 140)).apply {
            (layoutParams as LinearLayout.LayoutParams).gravity = Gravity.CENTER_HORIZONTAL
        }
        val words = column(R.dimen.one)
        words.add(heading(text(R.style.Text_Display, R.string.home_title)))
        words.add(text(R.style.Text_Body, R.string.home_text).apply { setTextColor(getColor(R.color.ink_2)) })
        content.add(words)
        content.add(galleryCard())

        val foot = column(R.dimen.one)
        val take = button(R.style.Button_Filled, R.string.take_photo, R.drawable.ic_camera)
        take.id = R.id.camera
        take.setOnClickListener { startActivity(Intent(this, CameraActivity::class.java)) }
        foot.add(take)
        val pick = button(R.style.Button_Tonal, R.string.choose_photo, R.drawable.ic_photos)
        pick.id = R.id.choose
        pick.setOnClickListener { choose() }
        foot.add(pick)
        val version = text(R.style.Text_Caption, getString(R.string.version, packageManager.getPackageInfo(packageName, 0).versionName))
        version.id = R.id.version
        version.textAlignment = android.view.View.TEXT_ALIGNMENT_CENTER
        version.setPadding(0, size(R.dimen.one), 0, 0)
        version.setOnLongClickListener {
            startActivity(Intent(this, MeasureActivity::class.java))
            true
        }
        foot.add(version)
        foot.setPadding(0, size(R.dimen.one), 0, size(R.dimen.two))
        screen(null, content, foot)
    }

    private fun galleryCard(): LinearLayout {
        val card = card()
        card.id = R.id.gallery
        card.isClickable = true
        card.isFocusable = true
        card.setOnClickListener { startActivity(Intent(this, GalleryActivity::class.java)) }
        val row = row(R.dimen.two)
        val words = column(R.dimen.half)
        words.add(text(R.style.Text_Label, R.string.gallery_card).apply { textSize = 16f })
        count = text(R.style.Text_Body, "").apply {
            id = R.id.count
            textSize = 14f
            setTextColor(getColor(R.color.ink_2))
        }
        words.add(count!!)
        row.add(words, 0, WRAP, 1f)
        val arrow = ImageView(this)
        arrow.setImageResource(R.drawable.ic_forward)
        arrow.setColorFilter(getColor(R.color.ink_2))
        arrow.drawable.isAutoMirrored = true
        row.addView(arrow)
        card.add(row)
        return card
    }

    override fun onResume() {
        super.onResume()
        if (!booth.consented) return
        // The gallery's own screen says what is wrong with it, if anything is.
        work({ booth.galleryFile.read()?.entries?.size ?: 0 }, { count?.setText(it.title) }) { n ->
            count?.text = if (n == 0) getString(R.string.gallery_card_none) else resources.getQuantityString(R.plurals.gallery_card_count, n, n)
        }
    }
}
