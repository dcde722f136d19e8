import Foundation
import Testing

@testable import BoothCore

@Suite struct AlignmentTests {
    let example: Json
    let landmarks: [Point]
    let square: Alignment

    init() throws {
        example = try Vectors.all.get("alignment")
        landmarks = try example.get("landmarks").points()
        square = try Alignment(landmarks: landmarks)
    }

    @Test func squareAndMapsAreThoseOfTheExample() throws {
        #expect(Vectors.worst([square.centre.x, square.centre.y], try example.get("centre").doubles()) < 1e-6)
        #expect(try abs(square.side - (example.get("side").number())) < 1e-6)
        for (name, map) in [("photo_from_crop_128", square.photoFromCrop(128)), ("crop_from_photo_128", square.cropFromPhoto(128))] {
            let expected = try example.get(name).list().flatMap { try $0.doubles() }
            #expect(Vectors.worst([map.a, map.b, map.c, map.d, map.e, map.f], expected) < 1e-6, "\(name)")
        }
    }

    @Test func cropsAreThoseOfTheExample() throws {
        var photo = Pixels(width: 200, height: 200)
        for j in 0..<200 {
            for i in 0..<200 {
                for (c, value) in [i, j, 3 * i + 5 * j].enumerated() { photo.rgb[(j * 200 + i) * 3 + c] = UInt8(value & 255) }
            }
        }
        for crop in try example.get("crops").list() {
            let size = try crop.get("size").int()
            let made = square.crop(photo, size: size)
            for pixel in try crop.get("pixels").list() {
                let n = try pixel.ints()
                #expect((0..<3).map { made.at(n[0], n[1], $0) } == Array(n[2...]), "\(size) at \(n[0]), \(n[1])")
            }
        }
    }

    @Test func mapsAreInverse() {
        for size in [16, 32, 128] {
            let back = square.cropLandmarks(landmarks, size: size).map(square.photoFromCrop(size).callAsFunction)
            #expect(Vectors.furthest(landmarks, back) < 1e-9)
        }
    }

    /// Squares of Python's landmarks lie within 0.05 pixels of Python's, and their crops are Python's to a level.
    @Test(arguments: Vectors.photoNames) func cropsOfPhotosAreThoseOfPython(_ name: String) throws {
        let seen = try Vectors.all.get("photos").get(name)
        let refined = try seen.get("refined").points()
        let place = try Alignment(landmarks: refined)
        #expect(Vectors.furthest(place.cropLandmarks(refined, size: 128), try seen.get("crop_landmarks").points()) < 0.05)
        let (most, count) = try Vectors.differences(place.crop(Vectors.photo(name), size: 128), seen.get("crop").levels(width: 128))
        #expect(most <= 1)
        #expect(count < 50, "Python samples in float32")
    }

    @Test func whatIsNoFaceIsRefused() {
        let far = landmarks.map { Point($0.x * 1e9, $0.y * 1e9) }
        for bad in [
            Array(repeating: Point(3, 3), count: 5), [Point(.nan, 0)] + landmarks.dropFirst(),
            [Point(.infinity, 0)] + landmarks.dropFirst(),
            Array(landmarks.prefix(4)), far,
        ] { #expect(throws: FaceError.self) { try Alignment(landmarks: bad) } }
    }

    @Test func beyondTheEdgesLiesTheMirrorImage() {
        #expect((-3...6).map { mirror($0, 3) } == [2, 1, 0, 0, 1, 2, 2, 1, 0, 0])
    }
}
