plugins {
    alias(libs.plugins.android.application) apply false
    alias(libs.plugins.android.library) apply false
    alias(libs.plugins.kotlin.android) apply false
    alias(libs.plugins.kotlin.jvm) apply false
}

// The version of all of edgesr stands in one place; the app and the libraries have it.
val release = Regex("""__version__ = "(.+)"""").find(file("../edgesr/release.py").readText())!!.groupValues[1]

subprojects {
    group = "io.edgesr"
    version = release
}
