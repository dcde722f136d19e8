import BoothCore
import CoreML
import Foundation
import Testing

@testable import BoothEngine

extension EngineTests {
    /// A network that keeps two maps of different sizes and a code of an exemplar (`tests/toy_maps`), with its twin.
    @Suite struct Maps {
        static let data = root.appendingPathComponent("../tests/data").standardized

        static func open() async throws -> CoreMLEngine {
            try await CoreMLEngine(bundle: ModelFolder(data.appendingPathComponent("coreml/toy-maps")), compiled: caches)
        }

        @Test(arguments: [0, 7]) func eachMapAndCodeIsFedAndReadByItsName(_ padding: Int) async throws {
            HostCoreML.padding = padding
            defer { HostCoreML.padding = 7 }
            let engine = try await Self.open(), kept = engine.manifest.kept
            #expect(kept == ["features_deep", "features_fine", "features_tone"])
            let golden = try Safetensors(Data(contentsOf: Self.data.appendingPathComponent("tflite/toy-maps/golden.safetensors"))).arrays
            let encoded = try await engine.encode(exemplar: try #require(golden["encode.in.exemplar"])).value
            for (name, values) in zip(kept, encoded) {
                let expected = try #require(golden["encode.out.\(name)"])
                #expect(worst(values, expected) <= 1e-5, "\(name)")
            }
            let features = try kept.map { try #require(golden["restore.in.\($0)"]) }
            let lr = try #require(golden["restore.in.lr"]), valid = try #require(golden["restore.in.valid"])
            let face = try #require(golden["restore.out.sr"]), weights = try #require(golden["restore.out.weights"])
            let restored = try await engine.restore(lr: lr, features: features, valid: valid).value
            #expect(worst(restored.face, face) <= 1e-5)
            #expect(worst(restored.weights, weights) <= 1e-5)
            // None of the three is left out, nor is one given for another: each changes the face.
            for which in kept.indices {
                var less = features
                less[which] = [Float](repeating: 0, count: features[which].count)
                let other = try await engine.restore(lr: lr, features: less, valid: valid).value
                #expect(worst(other.face, face) > 1e-4, "\(kept[which])")
            }
        }

        @Test func aFaceIsRestoredWithAGalleryAsInPython() async throws {
            let engine = try await Self.open(), manifest = engine.manifest
            let said = try Json.parse(Data(contentsOf: Self.data.appendingPathComponent("toy-maps.json")))
            func levels(_ name: String) throws -> [UInt8] {
                try #require(said[name]?.items).compactMap { $0.integer.flatMap(UInt8.init(exactly:)) }
            }
            let gallery = try Gallery(Data(contentsOf: Self.data.appendingPathComponent("galleries/toy-maps.gallery")))
            let section = try manifest.check(gallery)
            let chosen = try #require(said["exemplars"]?.items).compactMap(\.integer)
            let exemplars = try chosen.map { try gallery.floats(section: section, entry: $0) }
            let valid = (0..<manifest.slots).map { Float($0 < chosen.count ? 1 : 0) }
            let lr = try levels("lr").map { Float($0) / 255 }
            let restored = try await engine.restore(lr: lr, features: manifest.slotted(exemplars), valid: valid).value
            let face = try Pixels(width: manifest.hrSize, height: manifest.hrSize, unit: restored.face), expected = try levels("sr")
            #expect(face.rgb.count == expected.count)
            #expect(zip(face.rgb, expected).allSatisfy { abs(Int($0) - Int($1)) <= 1 })
        }
    }
}
