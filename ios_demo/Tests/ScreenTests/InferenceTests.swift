import BoothCore
import BoothEngine
import Foundation
import Testing

@testable import BoothApp

extension [Float] {
    fileprivate func chunked(_ size: Int) -> [ArraySlice<Float>] {
        stride(from: 0, to: count, by: size).map { self[$0..<Swift.min($0 + size, count)] }
    }
}

extension AppTests {
    /// A real face through the whole app: picking, decoding, detection, alignment, resampling, restoring.
    @Suite @MainActor struct Inference {
        @Test(arguments: Stage.precisions) func aPickedJpegIsRestoredAsInPython(_ precision: Precision) async throws {
            let stage = try Stage()
            stage.booth.precision = precision
            let expected = try #require(Stage.vectors["restored-\(precision.rawValue)"])
            let python = Stage.testdata.appendingPathComponent("python-\(precision.rawValue).gallery")
            try FileManager.default.createDirectory(at: stage.folder, withIntermediateDirectories: true)
            try FileManager.default.copyItem(at: python, to: stage.booth.pipeline.storage.gallery.url)
            await stage.restore("small.jpg")
            #expect(await stage.restored())
            let pipeline = stage.booth.pipeline
            let looked = try await pipeline.look()
            let face = try #require(looked.faces.first)
            let outcome = try await pipeline.restore(face, of: looked.photo, with: precision, own: true)
            let lr = Stage.psnr(outcome.face.lr, try Stage.square(expected["lr"]))
            let sr = Stage.psnr(outcome.face.sr, try Stage.square(expected["sr"]))
            let detailed = Stage.psnr(outcome.face.after, try Stage.square(expected["detailed"]))
            print("\(precision.rawValue) from the JPEG: LR \(lr), restored \(sr), with own detail \(detailed) dB to Python")
            // Without its own detail the face is at 44 dB.
            #expect(lr >= 60 && sr >= 48 && detailed >= 48)
            #expect(outcome.face.exemplars == [0])
            let counted = outcome.face.weights.chunked(outcome.face.lr.width * outcome.face.lr.height).map { $0.map(abs).max() ?? 0 }
            #expect(counted.count > 1 && counted[0] > 0.1)
            #expect(counted.dropFirst().allSatisfy { $0 < 1e-3 }, "slots that are empty count: \(counted)")
            #expect(await stage.reads("With the features of 1 photo of yours."))
        }

        @Test func landmarksAreThoseOfPython() async throws {
            let stage = try Stage()
            await stage.restore("small.jpg")
            let expected = try #require(Stage.vectors["restored-float"]?["landmarks"]?.items)
            let face = try #require(try await stage.booth.pipeline.look().faces.first)
            #expect(face.landmarks.count == expected.count)
            for (point, wanted) in zip(face.landmarks, expected) {
                let x = try #require(wanted.items?.first?.double), y = try #require(wanted.items?.last?.double)
                #expect(abs(point.x - x) < 0.5 && abs(point.y - y) < 0.5)
            }
        }

        @Test func photosAreTurnedAsTheirExifSays() throws {
            let turned = try PhotoCoder.decode(Data(contentsOf: Stage.photo("turned.jpg")))
            let upright = try PhotoCoder.decode(Data(contentsOf: Stage.photo("portrait-0027_1.jpg")))
            #expect((turned.width, turned.height) == (upright.width, upright.height))
            #expect(Stage.psnr(turned, upright) > 30)
        }

        @Test func aHundredMegapixelsAreDecodedSmallerAndMoreAreRefused() throws {
            let huge = try PhotoCoder.decode(Data(contentsOf: Stage.photo("no-huge.jpg")))
            #expect((4_000_000...PhotoCoder.mostDecoded).contains(huge.width * huge.height))
            #expect(throws: PhotoError.tooLarge) { try PhotoCoder.decode(Data(contentsOf: Stage.photo("no-too-large.jpg"))) }
            #expect(throws: PhotoError.unreadable) { try PhotoCoder.decode(Data(contentsOf: Stage.photo("no-image.jpg"))) }
        }
    }
}
