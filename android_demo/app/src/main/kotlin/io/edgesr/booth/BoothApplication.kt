package io.edgesr.booth

import android.app.Application
import android.content.Context

/** Holds the [Booth] for as long as the process lives: networks stay loaded over rotation. */
class BoothApplication : Application() {
    val booth: Booth by lazy { Booth(this) }
}

val Context.booth: Booth get() = (applicationContext as BoothApplication).booth
