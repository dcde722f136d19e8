// swift-tools-version: 6.0
import PackageDescription

#if os(Linux)
    // Tests go through whole photos, which takes minutes unoptimised. Overflow traps all the same.
    let fast: [SwiftSetting] = [.unsafeFlags(["-O"])]
#else
    let fast: [SwiftSetting] = []
#endif

var targets: [Target] = [
    .target(name: "BoothCore", swiftSettings: fast),
    .target(name: "BoothEngine", dependencies: ["BoothCore"], swiftSettings: fast),
    .testTarget(name: "BoothCoreTests", dependencies: ["BoothCore"], swiftSettings: fast),
    .testTarget(name: "BoothEngineTests", dependencies: ["BoothEngine"]),
]

// On a Mac, Xcode builds App/ (Booth.xcodeproj); here it is a library, so that it is type-checked and tested.
#if os(Linux)
    // The stand-ins' own bodies are not the app's: only what they declare is checked with Swift 6's rigour, where it is used.
    let host: [SwiftSetting] = [.swiftLanguageMode(.v5)] + fast
    // Stand-ins for Apple's frameworks, under the same names: what the app uses of them, and nothing else.
    targets.append(.target(name: "CoreML", path: "host/CoreML", swiftSettings: fast))
    for target in targets where ["BoothEngine", "BoothEngineTests"].contains(target.name) {
        target.dependencies += ["CoreML", "ImageIO", "UniformTypeIdentifiers"]
    }
    targets += [
        .target(name: "CoreGraphics", path: "host/CoreGraphics", swiftSettings: host),
        .target(name: "ImageIO", dependencies: ["CoreGraphics"], path: "host/ImageIO", swiftSettings: host),
        .target(name: "UniformTypeIdentifiers", path: "host/UniformTypeIdentifiers", swiftSettings: host),
        .target(
            name: "CoreTransferable", dependencies: ["UniformTypeIdentifiers"], path: "host/CoreTransferable", swiftSettings: host),
        .target(name: "Photos", path: "host/Photos", swiftSettings: host),
        .target(name: "QuartzCore", path: "host/QuartzCore", swiftSettings: host),
        .target(name: "UIKit", dependencies: ["QuartzCore"], path: "host/UIKit", swiftSettings: host),
        .target(
            name: "SwiftUI", dependencies: ["CoreGraphics", "CoreTransferable", "UIKit"], path: "host/SwiftUI", swiftSettings: host),
        .target(name: "PhotosUI", dependencies: ["SwiftUI"], path: "host/PhotosUI", swiftSettings: host),
        .target(name: "AVFoundation", dependencies: ["QuartzCore"], path: "host/AVFoundation", swiftSettings: host),
        .target(
            name: "BoothApp",
            dependencies: [
                "BoothCore", "BoothEngine", "SwiftUI", "UIKit", "PhotosUI", "Photos", "AVFoundation", "ImageIO", "CoreTransferable",
            ],
            path: "App",
            exclude: ["Resources"],
            swiftSettings: fast
        ),
        .testTarget(name: "ScreenTests", dependencies: ["BoothApp", "CoreML", "SwiftUI", "PhotosUI", "Photos", "AVFoundation"]),
    ]
#endif

let package = Package(
    name: "EdgeSR",
    platforms: [.iOS(.v18), .macOS(.v15)],
    // Another app takes EdgeSR; BoothCore alone is for what reads galleries and runs no network.
    products: [
        .library(name: "EdgeSR", targets: ["BoothCore", "BoothEngine"]),
        .library(name: "BoothCore", targets: ["BoothCore"]),
    ],
    targets: targets,
    swiftLanguageModes: [.v6]
)
