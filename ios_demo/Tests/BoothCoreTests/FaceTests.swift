import Foundation
import Testing

@testable import BoothCore

@Suite struct FaceTests {
    @Test(arguments: Vectors.photoNames) func descriptorsAndQualityAreThoseOfPython(_ name: String) throws {
        let seen = try Vectors.all.get("photos").get(name)
        let crop = try seen.get("crop").levels(width: 128)
        let landmarks = try seen.get("crop_landmarks").points()
        let descriptor = try Descriptor.of(crop, landmarks: landmarks)
        #expect(descriptor.count == Rules.Descriptor.size)
        #expect(Vectors.worst(descriptor, try seen.get("descriptor").floats()) < 1e-5)
        let expected = try seen.get("quality")
        let judged = try Quality.judge(crop, landmarks: landmarks, sizePx: try expected.get("size_px").number())
        for (key, got) in [
            ("sharpness", judged.sharpness), ("exposure", judged.exposure), ("yaw_deg", judged.yawDeg), ("pitch_deg", judged.pitchDeg),
            ("roll_deg", judged.rollDeg), ("reasons", Double(judged.refusals.count)),
        ] { #expect(abs(try expected.get(key).number() - got) < 1e-6, "\(key)") }
    }

    @Test func badPhotosAreRefusedWithTheirReason() throws {
        let seen = try Vectors.all.get("photos").get("portrait-0027_1.jpg")
        let crop = try seen.get("crop").levels(width: 128)
        let landmarks = try seen.get("crop_landmarks").points()
        func refusals(_ face: Pixels, sizePx: Double = 200) throws -> [Quality.Refusal] {
            try Quality.judge(face, landmarks: landmarks, sizePx: sizePx).refusals
        }
        #expect(try refusals(crop).isEmpty)
        #expect(try refusals(crop, sizePx: 20) == [.tooSmall(20)])
        let dark = try Pixels(width: 128, height: 128, rgb: crop.rgb.map { $0 / 9 })
        #expect(try refusals(dark).contains(.tooDark))
        let white = try Pixels(width: 128, height: 128, rgb: crop.rgb.map { max($0, 250) })
        #expect(try refusals(white).contains { if case .tooBright(let share) = $0 { share > 0.6 } else { false } })
        let blurred = Bicubic.resize(Bicubic.resize(crop, width: 12, height: 12), width: 128, height: 128)
        #expect(try refusals(blurred).contains { if case .blurred(let sharp) = $0 { sharp < 0.2 } else { false } })
        var aside = landmarks
        aside[2].x += 40
        let turned = try Quality.judge(crop, landmarks: aside, sizePx: 200)
        #expect(turned.refusals.contains { if case .turnedAside(let degrees) = $0 { degrees > 45 } else { false } })
    }

    @Test func whatIsNoFaceIsRefused() throws {
        let oblong = try Pixels(width: 2, height: 1, rgb: [UInt8](repeating: 0, count: 6))
        let square = Pixels(width: 8, height: 8)
        #expect(throws: FaceError.self) { try Descriptor.of(oblong, landmarks: nil) }
        #expect(throws: FaceError.self) { try Descriptor.of(square, landmarks: [Point(.nan, 1)]) }
        let upsideDown = [(5, 5), (3, 5), (4, 4), (5, 3), (3, 3)].map { Point(Double($0.0), Double($0.1)) }
        #expect(throws: Never.self) { try Quality.judge(square, landmarks: upsideDown, sizePx: 100) }
        let mouthAbove = [(3, 5), (5, 5), (4, 4), (3, 3), (5, 3)].map { Point(Double($0.0), Double($0.1)) }
        #expect(throws: FaceError.self) { try Quality.judge(square, landmarks: mouthAbove, sizePx: 100) }
    }
}

@Suite struct DuplicateTests {
    /// One portrait: as it is, stored again smaller, and turned with an EXIF orientation that turns it back.
    private static let onePicture: Set = ["portrait-0027_1.jpg", "copy-0027_1.jpg", "turned.jpg"]

    @Test(arguments: Vectors.photoNames) func fingerprintsAreThoseOfPython(_ name: String) throws {
        let photos = try Vectors.all.get("photos")
        let seen = try photos.get(name)
        let crop = Duplicates.fingerprint(try seen.get("crop").levels(width: 128))
        #expect(crop.count == 256)
        #expect(Vectors.worst(crop, try seen.get("crop_fingerprint").floats()) < 1e-5)
        let whole = Duplicates.fingerprint(try Vectors.photo(name))
        for (other, theirs) in (photos.members ?? []).map({ ($0.key, $0.value) }) {
            let same = name == other || Self.onePicture.isSuperset(of: [name, other])
            #expect(Duplicates.samePhoto(whole, try theirs.get("fingerprint").floats()) == same, "\(other)")
        }
    }

    @Test func facesAreComparedAsInPython() throws {
        var copies = 0
        for pair in try Vectors.all.get("duplicates").list() {
            let one = try pair.get("one").floats(), other = try pair.get("other").floats()
            let expected = try pair.get("difference").number()
            #expect(abs(Duplicates.difference(one, other) - expected) <= 1e-6 + 1e-4 * expected)
            #expect(try Json.bool(Duplicates.sameFace(one, other)) == pair.get("same"))
            if Duplicates.sameFace(one, other) { copies += 1 }
        }
        #expect(copies >= 3)
    }

    @Test func blankPicturesGiveNumbers() throws {
        #expect(Duplicates.fingerprint(Pixels(width: 3, height: 5)).allSatisfy { $0 == 0 })
        let plain = try Descriptor.of(Pixels(width: 8, height: 8), landmarks: nil)
        #expect(Duplicates.difference(plain, plain) == 0)
        #expect(!Duplicates.sameFace(plain, (0..<Descriptor.size).map { Float($0 % 7) }))
        #expect(!Duplicates.sameFace(plain, [1]))
    }
}

@Suite struct ChoiceTests {
    @Test func exemplarsAreThoseThatPythonChooses() throws {
        var count = 0
        for set in try Vectors.all.get("choices").list() {
            let everyone = try set.get("gallery").list().map { try $0.floats() }
            let sharpness = try set.get("sharpness").doubles()
            for query in try set.get("queries").list() {
                let face = try query.get("query").floats()
                #expect(try Choice.choose(everyone, query: face, slots: 5, sharpness: sharpness) == query.get("chosen").ints())
                #expect(try Choice.choose(everyone, query: face, slots: 5) == query.get("without_sharpness").ints())
                count += 1
            }
        }
        #expect(count >= 6)
    }

    @Test func anotherVersionsDescriptorsAreRefused() throws {
        let good = [Float](repeating: 0, count: Descriptor.size)
        for bad in [[], [Float](repeating: 0, count: 3), [.nan] + good.dropFirst()] {
            #expect(throws: GalleryError.self) { try Choice.choose([good, bad], query: good, slots: 1) }
            #expect(throws: GalleryError.self) { try Choice.choose([good], query: bad, slots: 1) }
        }
        #expect(try Choice.choose([good, good], query: good, slots: 9) == [0, 1])
        #expect(try Choice.choose([], query: good, slots: -1).isEmpty)
    }
}
