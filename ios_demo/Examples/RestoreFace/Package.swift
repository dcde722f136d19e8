// swift-tools-version: 6.0
import PackageDescription

let package = Package(
    name: "RestoreFace",
    platforms: [.iOS(.v18), .macOS(.v15)],
    // The library's archive, unpacked beside this folder.
    dependencies: [.package(path: "../EdgeSR")],
    targets: [.executableTarget(name: "RestoreFace", dependencies: [.product(name: "EdgeSR", package: "EdgeSR")])],
    swiftLanguageModes: [.v6]
)
