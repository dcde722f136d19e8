plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
}

android {
    namespace = "io.edgesr.booth"
    compileSdk = libs.versions.compileSdk.get().toInt()
    defaultConfig {
        applicationId = "io.edgesr.booth"
        minSdk = libs.versions.minSdk.get().toInt()
        targetSdk = libs.versions.targetSdk.get().toInt()
        versionCode = libs.versions.versionCode.get().toInt()
        versionName = project.version.toString()
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }
    androidResources { noCompress += "tflite" } // so that models are mapped and not copied
    packaging { jniLibs.useLegacyPackaging = true }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions { jvmTarget = "1.8" }
    testOptions.unitTests.isIncludeAndroidResources = true
}

dependencies {
    implementation(project(":core"))
    implementation(project(":engine"))
    testImplementation(libs.junit)
    testImplementation(libs.robolectric)
}

// The models are made from edgesr's checkpoint and not committed.
val checkModels by tasks.registering {
    val models = file("src/main/assets/models/detector/detector.tflite")
    doLast {
        if (!models.isFile) throw GradleException("The models are missing: run `make android-assets` at the top of the repository.")
    }
}
tasks.named("preBuild") { dependsOn(checkModels) }
