import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.kotlin.jvm)
    `maven-publish`
}

kotlin {
    compilerOptions {
        jvmTarget.set(JvmTarget.JVM_1_8)
        moduleName.set("edgesr-core")
    }
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
    withSourcesJar()
}

dependencies {
    testImplementation(libs.junit)
}

tasks.test { systemProperty("edgesr.root", rootDir.path) }

// tools/library.py makes the same on plain Linux.
val legal = copySpec {
    from(rootDir.resolve("../LICENSE"), rootDir.resolve("NOTICE"))
    into("META-INF")
}
tasks.withType<Jar>().configureEach { with(legal) }
tasks.jar { manifest { attributes("Automatic-Module-Name" to "io.edgesr.core") } }

publishing {
    publications {
        create<MavenPublication>("release") {
            artifactId = "edgesr-core"
            from(components["java"])
        }
    }
}
