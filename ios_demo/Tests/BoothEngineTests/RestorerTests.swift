import BoothCore
import CoreGraphics
import Foundation
import Testing

@testable import BoothEngine

extension EngineTests {
    /// What an app of somebody else's calls: from a photo's file to the photo with the face in it.
    @Suite struct Restorer {
        static let testdata = root.appendingPathComponent("testdata")

        static func open(_ network: String = preferred) async throws -> FaceRestorer {
            let caches = FileManager.default.temporaryDirectory.appendingPathComponent(
                "restorer-\(ProcessInfo.processInfo.processIdentifier)")
            return try await FaceRestorer(models: models, network: network, caches: caches)
        }

        static func content(_ name: String) throws -> Data {
            try Data(contentsOf: testdata.appendingPathComponent("photos/\(name)"))
        }

        static func photo(_ name: String) throws -> Pixels { try PhotoCoder.decode(content(name)) }

        static func enhanced() throws -> Json { try Json.parse(Data(contentsOf: testdata.appendingPathComponent("enhanced.json"))) }

        /// What `edgesr enhance` made of the photo.
        static func python(_ network: String) throws -> (factor: Int, photo: Pixels) {
            let one = try #require(try enhanced()[network]), size = try #require(one["size"]?.items).compactMap(\.integer)
            let text = try #require(one["rgb"]?.text), rgb = try #require(Data(base64Encoded: text))
            return (try #require(one["factor"]?.integer), try Pixels(width: size[0], height: size[1], rgb: Array(rgb)))
        }

        static func decibels(_ a: Pixels, _ b: Pixels) -> Double {
            a.width == b.width && a.height == b.height ? psnr(a.levels, b.levels) : 0
        }

        @Test func modelsAreFoundByTheirManifests() async throws {
            let python = try #require(try Self.enhanced().members)
            #expect(FaceRestorer.networks(in: models) == python.map(\.key).sorted())
            #expect(FaceRestorer.networks(in: models.appendingPathComponent("nothing")).isEmpty)
            let restorer = try await Self.open("float")
            #expect(restorer.engine.manifest.target == "coreml" && restorer.emptyGallery.entries.isEmpty)
            await #expect(throws: EngineError.missing("manifest.json")) { try await Self.open("other") }
        }

        @Test(arguments: EngineTests.networks) func aPhotoBecomesWhatPythonMakesOfIt(_ network: String) async throws {
            let restorer = try await Self.open(network), expected = try Self.python(network)
            let photo = try Self.photo("small.jpg")
            let gallery = try await restorer.learn(try Self.content("portrait-0027_1.jpg"), into: restorer.emptyGallery)
            let enhanced = try await restorer.enhance(photo, gallery: gallery)
            #expect(enhanced.faces.map(\.exemplars) == [[0]])
            #expect(enhanced.factor == expected.factor)
            let decibels = Self.decibels(enhanced.after, expected.photo)
            print("\(network): the photo through the library is at \(decibels) dB to Python's")
            #expect(decibels >= 40)
            // Without the gallery it is another picture.
            let without = try await restorer.enhance(photo)
            #expect(without.faces.map(\.exemplars) == [[]])
            #expect(Self.decibels(without.after, expected.photo) < decibels - 3)
            // So is less of it, and nothing of it is the photo enlarged.
            #expect(try enhanced.picture() == enhanced.after)
            #expect(try enhanced.picture(strength: 0) == enhanced.before)
            #expect(enhanced.before != enhanced.after)
            let heatmap = try enhanced.faces[0].heatmap(0)
            #expect(heatmap.share == 1 && heatmap.picture.width == restorer.engine.manifest.hrSize)
            #expect(throws: PictureError.self) { try enhanced.faces[0].heatmap(1) }
        }

        @Test func theGalleryThatWasLearnedIsReadBack() async throws {
            let restorer = try await Self.open()
            let gallery = try await restorer.learn(try Self.content("portrait-0027_1.jpg"), into: restorer.emptyGallery)
            let file = GalleryFile(FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString)/me.gallery"))
            try file.write(gallery)
            #expect(try file.read() == gallery)
            let python = GalleryFile(Self.testdata.appendingPathComponent("python-\(preferred).gallery"))
            let theirs = try #require(try python.read())
            #expect(theirs.sections == gallery.sections)
            #expect(theirs.entries.map(\.label.photoSha256) == gallery.entries.map(\.label.photoSha256))
            let photo = try Self.photo("small.jpg")
            let both = [try await restorer.enhance(photo, gallery: gallery), try await restorer.enhance(photo, gallery: theirs)]
            #expect(Self.decibels(both[0].after, both[1].after) >= 50)
            try file.erase()
        }

        @Test func ofSeveralFacesNoneGetsTheGalleryUnlessSomebodySaysWhich() async throws {
            let restorer = try await Self.open(), ten = try Self.photo("ten.jpg")
            // Faces of 64 pixels are large for a network of 16.
            let small = restorer.engine.manifest.lrSize < 32
            let photo = small ? Bicubic.resize(ten, width: ten.width / 2, height: ten.height / 2) : ten
            let gallery = try await restorer.learn(try Self.content("portrait-0027_1.jpg"), into: restorer.emptyGallery)
            let faces = try await restorer.faces(in: photo, tiny: false)
            #expect(faces.count == 10)
            let nobody = try await restorer.enhance(photo, gallery: gallery, faces: faces)
            #expect(nobody.faces.allSatisfy { $0.exemplars.isEmpty })
            let third = try await restorer.enhance(photo, gallery: gallery, faces: faces, person: faces[2])
            #expect(third.faces.filter { !$0.exemplars.isEmpty }.map(\.face) == [faces[2]])
        }

        @Test func aPhotoWithoutAFaceStaysAsItIs() async throws {
            let photo = try Self.photo("no-face.jpg")
            let enhanced = try await Self.open().enhance(photo)
            #expect(enhanced.faces.isEmpty && enhanced.factor == 1 && enhanced.after == photo)
        }

        @Test func whatCannotBeLearnedIsATypedError() async throws {
            let restorer = try await Self.open(), empty = restorer.emptyGallery
            let gallery = try await restorer.learn(try Self.content("portrait-0027_1.jpg"), into: empty)
            func refusal(_ name: String, _ into: Gallery) async throws -> LearningError? {
                do {
                    _ = try await restorer.learn(try Self.content(name), into: into)
                    return nil
                } catch let error as LearningError { return error }
            }
            #expect(try await refusal("no-face.jpg", empty) == .noFace)
            #expect(try await refusal("no-dark.jpg", empty) == .refused(.tooDark))
            #expect(try await refusal("portrait-0027_1.jpg", gallery) == .known)
            #expect(try await refusal("copy-0027_1.jpg", gallery) == .known)
            guard case .several(let faces) = try await refusal("ten.jpg", empty) else {
                Issue.record("ten people are one")
                return
            }
            #expect(faces.count == 10)
            await #expect(throws: PhotoError.unreadable) { try await restorer.learn(try Self.content("no-image.jpg"), into: empty) }
            await #expect(throws: PhotoError.tooLarge) { try await restorer.learn(try Self.content("no-too-large.jpg"), into: empty) }
            let other = try await Self.open("float").emptyGallery
            let strange = Gallery(
                sections: other.sections.map {
                    Section(featureSpace: "another", scale: $0.scale, lrSize: $0.lrSize, maps: $0.maps, half: $0.half, steps: $0.steps)
                })
            await #expect(throws: GalleryError.self) { try await restorer.learn(try Self.content("small.jpg"), into: strange) }
        }

        @Test func errorsSayWhatToTry() {
            let refusals: [Quality.Refusal] = [.tooSmall(20), .tooDark, .tooBright(0.9), .blurred(0.1), .turnedAside(60), .turnedUp(40)]
            let errors: [any Error & CustomStringConvertible] =
                [LearningError.noFace, .several([]), .known] + refusals.map { LearningError.refused($0) }
                + [PhotoError.unreadable, .tooLarge, .unwritable]
                + [EngineError.missing("x"), .damaged("x"), .other("x"), .refused("x")]
            #expect(Set(errors.map(\.description)).count == errors.count - 1, "turned aside and up are one")
            #expect(errors.allSatisfy { (15...110).contains($0.description.count) })
        }
    }
}
