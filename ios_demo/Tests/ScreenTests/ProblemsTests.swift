import AVFoundation
import BoothCore
import BoothEngine
import CoreML
import Foundation
import Photos
import PhotosUI
import SwiftUI
import Testing

@testable import BoothApp

extension AppTests {
    /// Everything that can stand in the way: a state with a sentence and a way out.
    @Suite @MainActor struct Problems {
        private func shows(_ stage: Stage, _ problem: Problem) async {
            #expect(await stage.reads(Text(problem.title).words), "\(problem)")
            #expect(stage.screen.texts.contains(Text(problem.text).words), "\(problem)")
            let way = stage.screen.control(Text(problem.action).words) { $0.action != nil || $0.take != nil }
            #expect(way != nil, "\(problem) has no way out")
        }

        @Test(arguments: Problem.allCases) func saysWhatIsTheCaseAndWhatToDo(_ problem: Problem) throws {
            _ = try Stage()
            #expect((8...50).contains(Text(problem.title).words.count))
            #expect(Text(problem.text).words.hasSuffix("."))
            #expect(!Text(problem.action).words.isEmpty)
        }

        @Test func everyErrorIsAProblem() {
            #expect(Problem(EngineError.missing("x")) == .modelMissing)
            #expect(Problem(EngineError.damaged("x")) == .modelDamaged)
            #expect(Problem(EngineError.other("x")) == .modelOther)
            #expect(Problem(EngineError.refused("x")) == .runtime)
            #expect(Problem(GalleryError("it is cut off")) == .galleryDamaged)
            #expect(Problem(GalleryError("made with another network")) == .galleryOther)
            #expect(Problem(GalleryError("of another version")) == .galleryOther)
            #expect(Problem(FaceError("none")) == .noFace)
            #expect(Problem(PhotoError.unreadable) == .noImage)
            #expect(Problem(PhotoError.tooLarge) == .tooLarge)
            #expect(Problem(PhotoError.unwritable) == .storage)
            #expect(Problem(CocoaError(.fileWriteOutOfSpace)) == .storage)
            #expect(Problem(Problem.cameraBusy) == .cameraBusy)
            #expect(Problem(CancellationError()) == .unknown)
        }

        /// The models in a folder of the test's own, to damage.
        private func copy() throws -> URL {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent("models-\(UUID().uuidString)")
            try FileManager.default.copyItem(at: Stage.models, to: folder)
            return folder
        }

        @Test func networkMissingDamagedOrForAnotherRuntime() async throws {
            let empty = FileManager.default.temporaryDirectory.appendingPathComponent("none-\(UUID().uuidString)")
            let stage = try Stage(models: empty)
            await stage.restore("small.jpg")
            await shows(stage, .modelMissing)
            #expect(stage.screen.press("Back"))
            #expect(stage.booth.path.isEmpty)

            let preferred = try #require(Stage.precisions.first).rawValue
            let folder = try copy(), manifest = folder.appendingPathComponent("\(preferred)/manifest.json")
            let good = try String(contentsOf: manifest, encoding: .utf8)
            try good.replacingOccurrences(of: "\"coreml\"", with: "\"tflite\"").write(to: manifest, atomically: false, encoding: .utf8)
            let other = try Stage(models: folder)
            await other.restore("small.jpg")
            await shows(other, .modelOther)
            try good.write(to: manifest, atomically: false, encoding: .utf8)
            let program = folder.appendingPathComponent("\(preferred)/model.mlpackage/Data/com.apple.CoreML/model.mlmodel")
            var bytes = try Data(contentsOf: program)
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: program)
            let damaged = try Stage(models: folder)
            await damaged.restore("small.jpg")
            await shows(damaged, .modelDamaged)
        }

        @Test func detectorMissing() async throws {
            let folder = try copy()
            try FileManager.default.removeItem(at: folder.appendingPathComponent("detector"))
            let stage = try Stage(models: folder)
            await stage.restore("small.jpg")
            await shows(stage, .modelMissing)
        }

        @Test func theRuntimeRefusesTheModel() async throws {
            HostCoreML.refuses = true
            defer { HostCoreML.refuses = false }
            let stage = try Stage()
            await stage.restore("small.jpg")
            await shows(stage, .runtime)
            HostCoreML.refuses = false
            #expect(stage.screen.press("Back"))
            await stage.restore("small.jpg")
            #expect(await stage.restored())
        }

        @Test func galleryDamagedOrFromAnotherNetwork() async throws {
            let stage = try Stage()
            let file = stage.booth.pipeline.storage.gallery.url
            try FileManager.default.createDirectory(at: stage.folder, withIntermediateDirectories: true)
            try Data(count: 100).write(to: file)
            stage.booth.path = [.gallery]
            await shows(stage, .galleryDamaged)
            stage.booth.path = []
            await stage.booth.refresh()
            #expect(stage.screen.texts.contains("Your gallery is damaged"))
            await stage.restore("small.jpg")
            await shows(stage, .galleryDamaged)
            try FileManager.default.removeItem(at: file)
            try FileManager.default.copyItem(at: Stage.galleries.appendingPathComponent("example.gallery"), to: file)
            stage.booth.path = [.gallery]
            await shows(stage, .galleryOther)
            #expect(stage.screen.press("Delete and start again"))
            #expect(await stage.reads("Nothing learned yet"))
            #expect(!FileManager.default.fileExists(atPath: file.path))
        }

        @Test func photosThatCannotBeUsed() async throws {
            let stage = try Stage()
            for (name, problem) in [("no-face.jpg", Problem.noFace), ("no-image.jpg", .noImage), ("no-too-large.jpg", .tooLarge)] {
                await stage.restore(name)
                await shows(stage, problem)
            }
            // The way out: another photo.
            #expect(stage.screen.give("Another photo", Stage.items(["small.jpg"])))
            #expect(await stage.restored())
        }

        @Test func aPhotoThatCannotBeLoaded() async throws {
            let stage = try Stage()
            _ = stage.screen.tree
            #expect(stage.screen.give("Choose a photo", [PhotosPickerItem(host: nil)]))
            await shows(stage, .noImage)
        }

        @Test func theDeviceIsFull() async throws {
            let stage = try Stage()
            stage.space.free = 1000
            await stage.restore("small.jpg")
            await shows(stage, .storage)
            #expect(stage.screen.press("Try again"))
            await stage.pick("portrait-0027_1.jpg")
            await shows(stage, .storage)
            #expect(stage.gallery == nil)
            stage.space.free = 1 << 40
            #expect(stage.screen.press("Try again"))
            #expect(await stage.reads("Nothing learned yet"))
        }

        @Test func theCameraIsRefusedBusyOrMissing() async throws {
            let stage = try Stage()
            var opened: URL?
            stage.screen.onOpen { opened = $0 }
            HostCamera.status = .notDetermined
            HostCamera.answer = false
            stage.booth.path = [.camera]
            await shows(stage, .cameraRefused)
            #expect(stage.screen.press("Open settings"))
            #expect(opened?.absoluteString == "app-settings:")
            #expect(stage.screen.control("Choose a photo") { $0.take != nil } != nil)
            stage.booth.path = []
            _ = stage.screen.tree
            HostCamera.status = .authorized
            HostCamera.isBusy = true
            stage.booth.path = [.camera]
            await shows(stage, .cameraBusy)
            HostCamera.isBusy = false
            #expect(stage.screen.press("Try again"))
            #expect(await stage.screen.until { $0.control("Take the photo") { $0.action != nil } != nil })
            // No photo comes.
            #expect(stage.screen.press("Take the photo"))
            await shows(stage, .cameraBusy)
            stage.booth.path = []
            _ = stage.screen.tree
            HostCamera.positions = []
            stage.booth.path = [.camera]
            await shows(stage, .cameraNone)
        }

        @Test func savingIsRefused() async throws {
            let stage = try Stage()
            HostPhotos.status = .denied
            await stage.restore("small.jpg")
            #expect(await stage.restored())
            #expect(stage.screen.press("Save"))
            #expect(await stage.reads("The picture was not saved"))
            #expect(stage.screen.texts.contains(Text(Problem.photosRefused.text).words))
            #expect(stage.screen.press("Cancel"))
            #expect(HostPhotos.added.isEmpty)
            HostPhotos.status = .authorized
            HostPhotos.fails = true
            #expect(stage.screen.press("Save"))
            #expect(await stage.reads("The picture was not saved"))
            #expect(stage.screen.texts.contains(Text(Problem.storage.text).words))
        }
    }
}
