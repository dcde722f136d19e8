package io.edgesr.booth

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.graphics.SurfaceTexture
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.params.OutputConfiguration
import android.hardware.camera2.params.SessionConfiguration
import android.media.ImageReader
import android.os.Handler
import android.os.Looper
import android.util.Size
import android.view.Surface
import java.util.concurrent.Executor

/** One camera from opening to closing: a preview on a surface, and JPEGs on demand. All callbacks come on the main thread. */
class CameraSession(private val context: Context, private val listener: Listener) {
    interface Listener {
        /** The preview's size, as the sensor has it, and how far it has to be turned clockwise. */
        fun opened(size: Size, turn: Int)

        fun taken(jpeg: ByteArray)

        fun failed(problem: Problem)
    }

    private val manager: CameraManager? = context.getSystemService(CameraManager::class.java)
    private val handler = Handler(Looper.getMainLooper())
    private val onMain = Executor { handler.post(it) }
    private var device: CameraDevice? = null
    private var session: CameraCaptureSession? = null
    private var reader: ImageReader? = null
    private var closed = false
    private var turn = 0

    /** Facings that this device has. */
    fun facings(): List<Int> = try {
        manager?.cameraIdList.orEmpty().mapNotNull { manager!!.getCameraCharacteristics(it)[CameraCharacteristics.LENS_FACING] }.distinct()
    } catch (_: CameraAccessException) {
        emptyList()
    }

    /** Open the camera that faces [facing], or another one; the permission has been granted. */
    @SuppressLint("MissingPermission")
    fun open(facing: Int, texture: SurfaceTexture, rotation: Int) {
        try {
            val ids = manager?.cameraIdList.orEmpty()
            val id = ids.firstOrNull { manager!!.getCameraCharacteristics(it)[CameraCharacteristics.LENS_FACING] == facing } ?: ids.firstOrNull()
            if (manager == null || id == null) return listener.failed(Problem.CAMERA_NONE)
            val about = manager.getCameraCharacteristics(id)
            val sensor = about[CameraCharacteristics.SENSOR_ORIENTATION] ?: 90
            val front = about[CameraCharacteristics.LENS_FACING] == CameraCharacteristics.LENS_FACING_FRONT
            turn = if (front) (sensor + rotation) % 360 else (sensor - rotation + 360) % 360
            val map = about[CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP]
            val still = best(map?.getOutputSizes(ImageFormat.JPEG), 12_000_000)
            val preview = best(map?.getOutputSizes(SurfaceTexture::class.java)?.filter { sameShape(it, still) }?.toTypedArray(), 1_500_000)
            texture.setDefaultBufferSize(preview.width, preview.height)
            val images = ImageReader.newInstance(still.width, still.height, ImageFormat.JPEG, 2)
            reader = images
            images.setOnImageAvailableListener({ from ->
                from.acquireLatestImage()?.use { image ->
                    val buffer = image.planes[0].buffer
                    listener.taken(ByteArray(buffer.remaining()).also(buffer::get))
                }
            }, handler)
            manager.openCamera(id, onMain, object : CameraDevice.StateCallback() {
                override fun onOpened(camera: CameraDevice) {
                    if (closed) return camera.close()
                    device = camera
                    listener.opened(preview, turn)
                    preview(camera, Surface(texture), images.surface)
                }

                override fun onDisconnected(camera: CameraDevice) = lost(camera, Problem.CAMERA_USED)

                override fun onError(camera: CameraDevice, error: Int) = lost(
                    camera,
                    if (error == ERROR_CAMERA_DISABLED) Problem.CAMERA_REFUSED else Problem.CAMERA_USED,
                )
            })
        } catch (error: CameraAccessException) {
            listener.failed(if (error.reason == CameraAccessException.CAMERA_DISABLED) Problem.CAMERA_REFUSED else Problem.CAMERA_USED)
        } catch (_: SecurityException) {
            listener.failed(Problem.CAMERA_REFUSED)
        } catch (_: IllegalArgumentException) {
            listener.failed(Problem.CAMERA_NONE)
        }
    }

    private fun lost(camera: CameraDevice, problem: Problem) {
        camera.close()
        device = null
        if (!closed) listener.failed(problem)
    }

    private fun preview(camera: CameraDevice, surface: Surface, still: Surface) {
        val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW)
        request.addTarget(surface)
        request[CaptureRequest.CONTROL_AF_MODE] = CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE
        val outputs = listOf(OutputConfiguration(surface), OutputConfiguration(still))
        val callback = object : CameraCaptureSession.StateCallback() {
            override fun onConfigured(made: CameraCaptureSession) {
                session = made
                runCatching { made.setRepeatingRequest(request.build(), null, handler) }.onFailure { listener.failed(Problem.CAMERA_USED) }
            }

            override fun onConfigureFailed(made: CameraCaptureSession) = listener.failed(Problem.CAMERA_USED)
        }
        try {
            camera.createCaptureSession(SessionConfiguration(SessionConfiguration.SESSION_REGULAR, outputs, onMain, callback))
        } catch (_: CameraAccessException) {
            listener.failed(Problem.CAMERA_USED)
        }
    }

    /** Take a photo; it arrives at the listener, upright by its EXIF. */
    fun take() {
        val camera = device ?: return
        val target = reader?.surface ?: return
        try {
            val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_STILL_CAPTURE)
            request.addTarget(target)
            request[CaptureRequest.CONTROL_AF_MODE] = CaptureRequest.CONTROL_AF_MODE_CONTINUOUS_PICTURE
            request[CaptureRequest.JPEG_ORIENTATION] = turn
            request[CaptureRequest.JPEG_QUALITY] = 95.toByte()
            session?.capture(request.build(), null, handler)
        } catch (_: CameraAccessException) {
            listener.failed(Problem.CAMERA_USED)
        }
    }

    fun close() {
        closed = true
        session?.close()
        device?.close()
        reader?.close()
        session = null
        device = null
        reader = null
    }

    private companion object {
        fun best(sizes: Array<Size>?, most: Int): Size {
            val fitting = sizes.orEmpty().filter { it.width.toLong() * it.height <= most }
            return fitting.maxByOrNull { it.width.toLong() * it.height } ?: Size(640, 480)
        }

        fun sameShape(a: Size, b: Size) = Math.abs(a.width.toDouble() / a.height - b.width.toDouble() / b.height) < 0.02
    }
}
