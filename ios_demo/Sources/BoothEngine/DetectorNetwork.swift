import BoothCore
import CoreML
import Foundation

/// YuNet on Core ML: `detector.mlpackage` and its `detector.json`, made by `make ios-assets`.
public actor DetectorNetwork: FaceNetwork {
    private nonisolated let sides: [String: Int]
    private let functions: [String: Loaded]

    /// Opens the detector after checking its hashes.
    ///
    /// - Throws: ``EngineError``.
    public init(folder: ModelFolder, computeUnits: ComputeUnits = .all, compiled: CompiledModels) async throws {
        guard let described = try? Json.parse(try folder.read("detector.json")) else {
            _ = try folder.read("detector.json")
            throw EngineError.damaged("detector.json cannot be read")
        }
        guard let package = described["file"]?.text, let signatures = described["signatures"]?.members else {
            throw EngineError.damaged("detector.json is not complete")
        }
        var sides: [String: Int] = [:]
        for signature in signatures {
            guard let side = signature.value.integer, (32...4096).contains(side), side % 32 == 0 else {
                throw EngineError.damaged("detector.json speaks of pictures of no size")
            }
            sides[signature.key] = side
        }
        var listed: [String: String] = [:]
        for file in described["sha256"]?.members ?? [] { listed[file.key] = file.value.text }
        let hash = try folder.verify(package: package, listed: listed)
        functions = try await compiled.load(
            sides.keys.sorted(), of: folder.url.appendingPathComponent(package), hash: hash, computeUnits: computeUnits.coreML)
        self.sides = sides
    }

    /// Side in pixels of the square picture that a graph takes, `detect` or `look`; 0 where there is none.
    public nonisolated func side(_ graph: String) -> Int { sides[graph] ?? 0 }

    public func run(_ picture: Pixels) throws -> YunetOutputs {
        let width = Yunet.padded(picture.width), height = Yunet.padded(picture.height)
        // `look` is for whole pictures of its size; `detect` takes smaller ones, with a mask of where they lie.
        let graph = width == side("look") && height == width ? "look" : "detect"
        let side = side(graph)
        guard let loaded = functions[graph], width <= side, height <= side else {
            throw EngineError.refused("\(picture.width) x \(picture.height) pixels are more than the detector takes")
        }
        var inputs = ["input": try MLMultiArray.of(Yunet.input(picture, width: side, height: side), shape: [1, 3, side, side])]
        if graph == "detect" { inputs["mask"] = try .of(mask(width, height, side), shape: [1, 1, side, side]) }
        let outputs = try loaded.predict(inputs)
        var values: [String: [Float]] = [:]
        for stride in [8, 16, 32] {
            let columns = side / stride
            for (name, channels) in [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)] {
                let key = "\(name)_\(stride)"
                let all = try outputs.values(key, count: columns * columns * channels)
                // Cells beside the picture do not exist for whoever decodes them.
                values[key] = (0..<height / stride).flatMap { row in
                    all[row * columns * channels..<(row * columns + width / stride) * channels]
                }
            }
        }
        return YunetOutputs(width: width, height: height, values: values)
    }

    /// 1 where OpenCV's picture, a multiple of 32 pixels wide and high, would be: beside it the network sees nothing.
    private func mask(_ width: Int, _ height: Int, _ side: Int) -> [Float] {
        var values = [Float](repeating: 0, count: side * side)
        for y in 0..<height { for x in 0..<width { values[y * side + x] = 1 } }
        return values
    }
}
