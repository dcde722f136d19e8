plugins {
    alias(libs.plugins.android.library)
    alias(libs.plugins.kotlin.android)
    `maven-publish`
}

android {
    namespace = "io.edgesr.engine"
    compileSdk = libs.versions.compileSdk.get().toInt()
    defaultConfig {
        minSdk = libs.versions.minSdk.get().toInt()
        consumerProguardFiles("consumer-rules.pro")
    }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
    kotlinOptions {
        jvmTarget = "1.8"
        moduleName = "edgesr-android"
    }
    publishing { singleVariant("release") { withSourcesJar() } }
}

dependencies {
    api(project(":core"))
    implementation(libs.tensorflow.lite)
}

// tools/library.py makes the same on plain Linux.
tasks.withType<Zip>().matching { it.name.startsWith("bundle") && it.name.endsWith("Aar") }.configureEach {
    from(rootDir.resolve("../LICENSE"), rootDir.resolve("NOTICE"))
}

publishing {
    publications {
        create<MavenPublication>("release") {
            artifactId = "edgesr-android"
            afterEvaluate { from(components["release"]) }
        }
    }
}
