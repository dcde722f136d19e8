// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "EdgeSR",
    platforms: [.iOS(.v18), .macOS(.v15)],
    // An app takes EdgeSR; BoothCore alone is for what reads galleries and runs no network.
    products: [
        .library(name: "EdgeSR", targets: ["BoothCore", "BoothEngine"]),
        .library(name: "BoothCore", targets: ["BoothCore"]),
    ],
    targets: [
        .target(name: "BoothCore"),
        .target(name: "BoothEngine", dependencies: ["BoothCore"]),
    ],
    swiftLanguageModes: [.v6]
)
