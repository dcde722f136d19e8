import Foundation
import Testing

@testable import BoothCore

/// YuNet's own graph against YuNet on OpenCV.
@Suite(.enabled(if: OnnxRuntime.library != nil, "set EDGESR_ONNXRUNTIME to ONNX Runtime's C library"))
struct DetectorTests {
    /// Pixels by which refined landmarks may differ: in Python, too, they move by 0.14 where their start moves by 0.0001.
    static let sensitive = 0.3
    /// OpenCV's own refinement of this photo ends in one of two places, 0.58 pixels apart, by its start's 5th digit.
    static let unsteady = "portrait-0082_1.jpg"

    static func detector() throws -> FaceDetector {
        FaceDetector(try OnnxRuntime(model: Vectors.testdata.appendingPathComponent("detector.onnx")))
    }

    @Test(arguments: Vectors.photoNames) func facesAndLandmarksAreThoseOfOpenCV(_ name: String) async throws {
        let detector = try Self.detector()
        let photo = try Vectors.photo(name)
        let seen = try Vectors.all.get("photos").get(name)
        let detected = try seen.get("detected").list()
        let faces = try await detector.detect(photo)
        #expect(faces.count == detected.count)
        for expected in detected {
            let landmarks = try expected.get("landmarks").points()
            let nearest = try #require(
                faces.min { Vectors.furthest($0.landmarks, landmarks) < Vectors.furthest($1.landmarks, landmarks) })
            #expect(Vectors.furthest(nearest.landmarks, landmarks) < 0.001)
            let box = [nearest.left, nearest.top, nearest.width, nearest.height]
            #expect(Vectors.worst(box, try expected.get("box").doubles()) < 0.001)
            #expect(try abs(nearest.score - (expected.get("score").number())) < 0.001)
        }
        let largest = try detected[0].get("landmarks").points()
        let same = try #require(faces.first { Vectors.furthest($0.landmarks, largest) < 1 })
        let expected = try seen.get("refined").points()
        var off = Vectors.furthest(try await detector.refine(photo, same).landmarks, expected)
        var random = Random(11)
        for _ in 0..<8 where name == Self.unsteady && off >= Self.sensitive {
            let moved = same.landmarks.map { Point($0.x + .random(in: -1e-4...1e-4, using: &random), $0.y) }
            off = Vectors.furthest(try await detector.refine(photo, same.with(moved)).landmarks, expected)
        }
        print("\(name): refined landmarks \(off) pixels from OpenCV's")
        #expect(off < Self.sensitive)
    }

    @Test(arguments: ["small.jpg", "ten.jpg", "no-face.jpg"]) func tinyFacesAreFoundAsPythonFindsThem(_ name: String) async throws {
        let expected = try Vectors.web.get("found").get(name).list()
        let looks = Counter()
        let faces = try await Self.detector().findFaces(Vectors.photo(name)) { done, all in await looks.add(done, all) }
        #expect(faces.count == expected.count)
        #expect(await looks.count > 1)
        #expect(await looks.last == looks.all)
        for face in expected {
            let landmarks = try face.get("landmarks").points()
            let off = faces.map { Vectors.furthest($0.landmarks, landmarks) }.min() ?? .infinity
            #expect(off < Self.sensitive)
        }
    }

    @Test func nothingIsFoundWhereNothingIsAndASearchCanBeEnded() async throws {
        let detector = try Self.detector()
        #expect(try await detector.detect(Pixels(width: 3, height: 2)).isEmpty)
        #expect(try await detector.detect(Pixels(width: 40, height: 1500)).isEmpty)
        let task = Task { try await detector.findFaces(Pixels(width: 64, height: 64)) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
    }

    @Test func aFaceOutsideThePhotoIsRefused() async throws {
        let face = try Vectors.all.get("photos").get("small.jpg").get("detected").list()[0]
        let landmarks = try face.get("landmarks").points().map { Point($0.x + 5000, $0.y + 5000) }
        let away = Face(left: 0, top: 0, width: 1, height: 1, landmarks: landmarks, score: 1)
        let (detector, photo) = (try Self.detector(), try Vectors.photo("small.jpg"))
        await #expect(throws: FaceError.self) { try await detector.refine(photo, away) }
    }
}

private actor Counter {
    var count = 0, last = 0, all = 0

    func add(_ done: Int, _ all: Int) {
        count += 1
        (last, self.all) = (done, all)
    }
}

@Suite struct YunetTests {
    private func outputs(_ side: Int, _ change: (inout [String: [Float]]) -> Void) -> YunetOutputs {
        var values: [String: [Float]] = [:]
        for stride in [8, 16, 32] {
            let cells = side / stride * (side / stride)
            for (name, each) in [("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)] {
                values["\(name)_\(stride)"] = [Float](repeating: 0, count: cells * each)
            }
        }
        change(&values)
        return YunetOutputs(width: side, height: side, values: values)
    }

    @Test func picturesArePaddedWithBlackInBlueGreenRed() throws {
        let image = try Pixels(width: 33, height: 2, rgb: (0..<198).map { UInt8(1 + $0 % 3) })
        let data = try Yunet.input(image, width: Yunet.padded(33), height: Yunet.padded(2))
        let plane = 64 * 32
        #expect(data.count == 3 * plane)
        #expect([0, plane, 2 * plane, 32, 33, 64, 128].map { data[$0] } == [3, 2, 1, 3, 0, 3, 0])
        #expect(throws: PictureError.self) { try Yunet.input(image, width: 32, height: 32) }
    }

    @Test func outputsOfAnotherNetworkAreRefused() {
        let none = YunetOutputs(width: 32, height: 32, values: [:])
        #expect(throws: BundleError.self) { try Yunet.decode(none, width: 32, height: 32, threshold: 0.6) }
        let short = outputs(32) { $0["kps_8"] = [1, 2, 3] }
        #expect(throws: BundleError.self) { try Yunet.decode(short, width: 32, height: 32, threshold: 0.6) }
    }

    @Test func numbersThatAreNoneGiveNoFaceAndNoTrap() throws {
        for bad in [Float.nan, .infinity, -.infinity, 1e30, 88] {
            let wild = outputs(64) { values in
                for key in values.keys { values[key] = values[key]?.map { _ in key.hasPrefix("cls") || key.hasPrefix("obj") ? 1 : bad } }
            }
            #expect(try Yunet.decode(wild, width: 64, height: 64, threshold: 0.6).isEmpty)
            let unsure = outputs(64) { $0["cls_8"] = $0["cls_8"]?.map { _ in .nan } }
            #expect(try Yunet.decode(unsure, width: 64, height: 64, threshold: 0.6).isEmpty)
        }
    }

    /// A network of one fixed size sees more than OpenCV, which pads to 32: what lies there is no face.
    @Test func cellsBesideThePictureDoNotCount() throws {
        let everywhere = outputs(64) { values in
            values["cls_8"] = values["cls_8"]?.map { _ in 1 }
            values["obj_8"] = values["obj_8"]?.map { _ in 1 }
        }
        #expect(try Yunet.decode(everywhere, width: 64, height: 64, threshold: 0.6).count == 64)
        #expect(try Yunet.decode(everywhere, width: 20, height: 33, threshold: 0.6).count == 32)
    }
}
