package io.edgesr.booth

import android.Manifest
import android.content.Intent
import android.content.pm.PackageManager
import android.graphics.Matrix
import android.graphics.RectF
import android.graphics.SurfaceTexture
import android.graphics.drawable.GradientDrawable
import android.hardware.camera2.CameraCharacteristics
import android.os.Bundle
import android.util.Size
import android.view.Gravity
import android.view.TextureView
import android.view.View
import android.view.WindowInsets
import android.widget.FrameLayout
import android.widget.ImageView
import io.edgesr.booth.ui.ButtonRole
import io.edgesr.booth.ui.MATCH
import io.edgesr.booth.ui.WRAP
import io.edgesr.booth.ui.column
import io.edgesr.booth.ui.add
import io.edgesr.booth.ui.dp
import io.edgesr.booth.ui.size
import io.edgesr.booth.ui.text

/** The preview, a shutter, a way to the library, and the other camera. */
class CameraActivity : BoothActivity(), CameraSession.Listener, TextureView.SurfaceTextureListener {
    override val title = R.string.take_photo
    private var session: CameraSession? = null
    private var preview: TextureView? = null
    private var facing = CameraCharacteristics.LENS_FACING_FRONT
    private var asked = false
    private var shape = Size(4, 3)
    private var turn = 0

    override fun onCreate(state: Bundle?) {
        super.onCreate(state)
        facing = state?.getInt("facing") ?: facing
        asked = state?.getBoolean("asked") ?: false
    }

    override fun onSaveInstanceState(state: Bundle) {
        super.onSaveInstanceState(state)
        state.putInt("facing", facing)
        state.putBoolean("asked", asked)
    }

    override fun onResume() {
        super.onResume()
        if (!isFinishing) start()
    }

    override fun onPause() {
        session?.close()
        session = null
        super.onPause()
    }

    /** The permission may have been taken away since the last time: it is asked for each time. */
    private fun start() {
        if (checkSelfPermission(Manifest.permission.CAMERA) != PackageManager.PERMISSION_GRANTED) {
            if (!asked) {
                asked = true
                requestPermissions(arrayOf(Manifest.permission.CAMERA), ASK)
            } else if (problem == null) {
                failed(Problem.CAMERA_REFUSED)
            }
            return
        }
        clearProblem()
        build()
    }

    override fun onRequestPermissionsResult(request: Int, permissions: Array<String>, results: IntArray) {
        if (request != ASK) return
        if (results.firstOrNull() == PackageManager.PERMISSION_GRANTED) start() else failed(Problem.CAMERA_REFUSED)
    }

    private fun build() {
        val root = FrameLayout(this)
        root.setBackgroundColor(0xFF0B0908.toInt())
        val texture = TextureView(this)
        texture.id = R.id.preview
        texture.surfaceTextureListener = this
        preview = texture
        root.addView(texture, FrameLayout.LayoutParams(MATCH, MATCH))
        val over = FrameLayout(this)
        root.addView(over, FrameLayout.LayoutParams(MATCH, MATCH))
        val words = column(R.dimen.half)
        words.background = GradientDrawable(GradientDrawable.Orientation.TOP_BOTTOM, intArrayOf(0xB3000000.toInt(), 0))
        words.setPadding(size(R.dimen.three), size(R.dimen.three), size(R.dimen.three), size(R.dimen.four))
        words.add(text(R.style.Text_Title, R.string.camera_title).apply { setTextColor(-1) })
        words.add(text(R.style.Text_Body, R.string.camera_text).apply { setTextColor(0xE6FFFFFF.toInt()) })
        over.addView(words, FrameLayout.LayoutParams(MATCH, WRAP, Gravity.TOP))
        val bar = FrameLayout(this)
        bar.background = GradientDrawable(GradientDrawable.Orientation.BOTTOM_TOP, intArrayOf(0xB3000000.toInt(), 0))
        bar.setPadding(size(R.dimen.three), size(R.dimen.four), size(R.dimen.three), size(R.dimen.four))
        bar.addView(round(R.drawable.ic_photos, R.string.choose_photo, R.id.choose) { choose() }, FrameLayout.LayoutParams(dp(56), dp(56), Gravity.START or Gravity.CENTER_VERTICAL))
        val shutter = View(this)
        shutter.id = R.id.shutter
        shutter.contentDescription = getString(R.string.shutter)
        shutter.background = GradientDrawable().apply {
            shape = GradientDrawable.OVAL
            setColor(-1)
            setStroke(dp(5), getColor(R.color.accent))
        }
        shutter.accessibilityDelegate = ButtonRole
        shutter.setOnClickListener {
            shutter.animate().scaleX(0.88f).scaleY(0.88f).setDuration(90).withEndAction { shutter.animate().scaleX(1f).scaleY(1f).setDuration(120) }
            session?.take()
        }
        bar.addView(shutter, FrameLayout.LayoutParams(dp(80), dp(80), Gravity.CENTER))
        val fresh = CameraSession(this, this)
        session = fresh
        if (fresh.facings().size > 1) {
            bar.addView(round(R.drawable.ic_flip, R.string.flip, R.id.flip, ::flip), FrameLayout.LayoutParams(dp(56), dp(56), Gravity.END or Gravity.CENTER_VERTICAL))
        }
        over.addView(bar, FrameLayout.LayoutParams(MATCH, WRAP, Gravity.BOTTOM))
        if (android.os.Build.VERSION.SDK_INT >= 30) window.setDecorFitsSystemWindows(false)
        over.setOnApplyWindowInsetsListener { view, insets ->
            if (android.os.Build.VERSION.SDK_INT >= 30) {
                val bars = insets.getInsets(WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout())
                view.setPadding(bars.left, bars.top, bars.right, bars.bottom)
            }
            insets
        }
        setContentView(root)
        if (fresh.facings().isEmpty()) failed(Problem.CAMERA_NONE)
    }

    private fun round(icon: Int, label: Int, id: Int, click: () -> Unit): View = ImageView(this).apply {
        this.id = id
        setImageResource(icon)
        setColorFilter(-1)
        scaleType = ImageView.ScaleType.CENTER
        contentDescription = getString(label)
        background = GradientDrawable().apply {
            shape = GradientDrawable.OVAL
            setColor(0x40FFFFFF)
        }
        accessibilityDelegate = ButtonRole
        setOnClickListener { click() }
    }

    private fun flip() {
        facing = if (facing == CameraCharacteristics.LENS_FACING_FRONT) CameraCharacteristics.LENS_FACING_BACK else CameraCharacteristics.LENS_FACING_FRONT
        session?.close()
        build()
    }

    override fun onSurfaceTextureAvailable(texture: SurfaceTexture, width: Int, height: Int) {
        session?.open(facing, texture, rotation())
    }

    @Suppress("DEPRECATION")
    private fun rotation() = windowManager.defaultDisplay.rotation * 90

    override fun onSurfaceTextureSizeChanged(texture: SurfaceTexture, width: Int, height: Int) = fit()

    override fun onSurfaceTextureDestroyed(texture: SurfaceTexture) = true

    override fun onSurfaceTextureUpdated(texture: SurfaceTexture) = Unit

    override fun opened(size: Size, turn: Int) {
        shape = size
        this.turn = turn
        fit()
    }

    /** The preview fills the screen without being stretched. */
    private fun fit() {
        val view = preview ?: return
        if (view.width == 0 || view.height == 0) return
        val wide = view.width.toFloat()
        val tall = view.height.toFloat()
        val rotation = rotation()
        val across = if (turn % 180 == 0) shape.width.toFloat() else shape.height.toFloat()
        val down = if (turn % 180 == 0) shape.height.toFloat() else shape.width.toFloat()
        val matrix = Matrix()
        val scale = maxOf(wide / across, tall / down)
        if (rotation % 180 == 0) {
            matrix.setScale(across * scale / wide, down * scale / tall, wide / 2, tall / 2)
        } else {
            val buffer = RectF(0f, 0f, shape.height.toFloat(), shape.width.toFloat())
            buffer.offset(wide / 2 - buffer.centerX(), tall / 2 - buffer.centerY())
            matrix.setRectToRect(RectF(0f, 0f, wide, tall), buffer, Matrix.ScaleToFit.FILL)
            matrix.postScale(scale, scale, wide / 2, tall / 2)
        }
        if (rotation != 0) matrix.postRotate(-rotation.toFloat(), wide / 2, tall / 2)
        view.setTransform(matrix)
    }

    override fun taken(jpeg: ByteArray) = work({ booth.take(jpeg) }) {
        startActivity(Intent(this, ResultActivity::class.java).putExtra(ResultActivity.NEW, true))
        finish()
    }

    override fun failed(problem: Problem) {
        session?.close()
        session = null
        show(problem, ::start)
    }

    private companion object {
        const val ASK = 4
    }
}
