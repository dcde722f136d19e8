import AVFoundation
import BoothCore
import BoothEngine
import CoreTransferable
import Foundation
import Photos
import SwiftUI
import Testing

@testable import BoothApp

extension AppTests {
    /// What each screen does when all goes well.
    @Suite @MainActor struct Screens {
        @Test func nothingHappensBeforeConsent() async throws {
            let stage = try Stage(consented: false)
            #expect(stage.screen.texts.first == "Before you start")
            #expect(stage.screen.control("Choose a photo") { $0.take != nil } == nil)
            #expect(!FileManager.default.fileExists(atPath: stage.folder.path))
            #expect(stage.screen.press("I agree"))
            #expect(stage.booth.consented)
            #expect(await stage.reads("Tiny face in, sharp face out"))
        }

        @Test func homeLeadsEverywhere() async throws {
            let stage = try Stage()
            #expect(await stage.reads("None yet. Two or three sharp ones are enough."))
            for (title, route) in [
                ("Take a photo", Route.camera), ("Photos to learn from", .gallery), ("Measurements", .measure), ("Golden vectors", .golden),
            ] {
                #expect(stage.screen.press(title), "\(title)")
                #expect(stage.booth.path == [route])
                #expect(stage.screen.press("Back (the system's)"))
                #expect(stage.booth.path.isEmpty)
            }
        }

        @Test func severalPhotosAreLearnedAndOthersRefusedWithReasons() async throws {
            let stage = try Stage()
            await stage.pick(
                "portrait-0027_1.jpg", "ten.jpg", "no-dark.jpg", "no-face.jpg", "no-image.jpg", "no-too-large.jpg", "portrait-0027_2.jpg")
            #expect(await stage.reads("Who is it?"))
            #expect(stage.screen.texts.contains("ten.jpg shows 10 people. Choose the one to learn from."))
            #expect(stage.screen.press("Leave this photo out"))
            #expect(await stage.reads("Is this one person?"))
            #expect(stage.gallery == nil)
            #expect(stage.screen.press("Learn from these"))
            #expect(await stage.settled(2))
            #expect(stage.gallery?.entries.count == 2)
            #expect(stage.gallery?.entries.first?.label.name == nil)
            for reason in [Unused.several, .dark, .noFace, .noImage, .huge] {
                #expect(stage.screen.texts.contains(Text(reason.sentence).words), "\(reason)")
            }
            stage.booth.path = []
            #expect(await stage.reads("2 photos are remembered"))
        }

        @Test func whoeverComesToAGalleryIsAskedAbout() async throws {
            let stage = try Stage()
            await stage.learn("portrait-0027_1.jpg")  // alone and the first: nobody is asked
            #expect(stage.gallery?.entries.count == 1)
            await stage.pick("portrait-0036_1.jpg", "portrait-0027_2.jpg")
            #expect(await stage.reads("Is this one person?"))
            #expect(stage.screen.press("portrait-0036_1.jpg"))
            #expect(stage.screen.control("portrait-0036_1.jpg, left out") { $0.action != nil } != nil)
            #expect(stage.screen.press("Learn from these"))
            #expect(await stage.settled(2))
            let kept = try ["portrait-0027_1.jpg", "portrait-0027_2.jpg"].map { sha256(of: try Data(contentsOf: Stage.photo($0))) }
            #expect(stage.gallery?.entries.map(\.label.photoSha256) == kept)
            #expect(stage.screen.texts.contains("It shows somebody else: you left it out."))
            await stage.pick("portrait-0027_2.jpg")
            #expect(await stage.reads("The same picture has been learned already."))
            #expect(stage.gallery?.entries.count == 2)
        }

        @Test(arguments: [["ten.jpg"], ["portrait-0027_1.jpg", "portrait-0027_2.jpg"]])
        func aQuestionWhoseScreenGoesIsNotWaitedFor(_ photos: [String]) async throws {
            let stage = try Stage(), model = GalleryModel(booth: stage.booth)
            let screen = Screen(Text(verbatim: ""))
            let learning = Task { await model.learn(Stage.items(photos)) }
            #expect(await screen.until { _ in model.question != nil })
            learning.cancel()
            #expect(await screen.until(10) { _ in !model.isLearning })
            #expect(model.question == nil && model.problem == nil && stage.gallery == nil)
            // The same through the screens: who comes back finds it as though nothing had been picked.
            await stage.pick(photos[0], "portrait-0036_1.jpg")
            #expect(await screen.until { _ in stage.screen.tree.all.contains { $0.kind == "sheet" } })
            stage.booth.path = []
            #expect(await stage.reads("None yet. Two or three sharp ones are enough."))
            stage.booth.path = [.gallery]
            #expect(await screen.until { _ in stage.screen.control("Add photos") { $0.take != nil } != nil })
            #expect(!stage.screen.tree.all.contains { $0.kind == "sheet" } && stage.gallery == nil)
        }

        @Test func twoPhotosThatAreLearnedAtOnceAreBothKept() async throws {
            let stage = try Stage()
            let pipeline = stage.booth.pipeline, precision = stage.booth.precision
            let photos = try ["portrait-0027_1.jpg", "portrait-0036_1.jpg"].map { try Data(contentsOf: Stage.photo($0)) }
            async let one = pipeline.learn(photos[0], with: precision, sure: true)
            async let other = pipeline.learn(photos[1], with: precision, sure: true)
            _ = try await (one, other)
            #expect(Set(stage.gallery?.entries.map(\.label.photoSha256) ?? []) == Set(photos.map { sha256(of: $0) }))
        }

        @Test func aCopyIsLearnedOnceAndNobodyIsAskedAboutIt() async throws {
            let stage = try Stage()
            let pipeline = stage.booth.pipeline, precision = stage.booth.precision
            let photos = try ["portrait-0027_1.jpg", "copy-0027_1.jpg"].map { try Data(contentsOf: Stage.photo($0)) }
            _ = try await pipeline.learn(photos[0], with: precision, sure: true)
            // The better of both stays.
            switch try await pipeline.learn(photos[1], with: precision) {
            case .learned, .refused(.known): break
            case let other: Issue.record("a copy is \(other)")
            }
            #expect(stage.gallery?.entries.count == 1)
        }

        @Test func ofSeveralPeopleTheChosenOneIsLearned() async throws {
            let stage = try Stage()
            await stage.pick("ten.jpg")
            #expect(await stage.reads("Who is it?"))
            #expect(stage.screen.press("Face 3"))
            #expect(await stage.settled(1))
            #expect(stage.gallery?.entries.count == 1)
        }

        @Test func onePhotoIsForgottenAndEverythingIsDeleted() async throws {
            let stage = try Stage()
            await stage.learn("portrait-0027_1.jpg", "portrait-0027_2.jpg")
            let kept = stage.gallery?.entries.last?.label.photoSha256
            stage.booth.path = [.gallery]
            #expect(await stage.settled(2))
            let first = try #require(
                stage.screen.tree.all.first { $0.attributes["label"]?.hasPrefix("Photo 1, sharpness") == true && $0.action != nil })
            first.action?()
            #expect(stage.screen.texts.contains("Forget this photo?"))
            #expect(stage.gallery?.entries.count == 2)
            #expect(stage.screen.press("Delete"))
            #expect(await stage.settled(1))
            #expect(stage.gallery?.entries.map(\.label.photoSha256) == kept.map { [$0] })
            #expect(stage.screen.press("Delete everything"))
            #expect(
                stage.screen.texts.contains(
                    "All that was learned from 1 photo is overwritten and deleted, with the last photo that was restored. Your own photos stay where they are."
                ))
            #expect(stage.screen.press("Cancel"))
            #expect(stage.gallery?.entries.count == 1)
            try stage.booth.pipeline.storage.take(Data([1, 2, 3]))
            #expect(stage.screen.press("Delete everything"))
            #expect(stage.screen.press("Delete"))
            #expect(await stage.reads("Nothing learned yet"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: stage.folder.path) == [])
        }

        @Test func theResultShowsFacePhotoAndReasonAndIsSavedAndShared() async throws {
            let stage = try Stage()
            await stage.learn("portrait-0027_1.jpg")
            await stage.restore("small.jpg")
            #expect(await stage.restored())
            let screen = stage.screen
            #expect(screen.texts.contains("With the features of 1 photo of yours."))
            #expect(screen.texts.contains { $0.contains(" ms on this device") })
            #expect(screen.give("Before and after", 50.0))
            func line() -> String? { screen.control("Before and after") { $0.take != nil }?.attributes["value"] }
            #expect(line() == "The line is at 25 percent")
            HostAnimations.count = 0
            #expect(screen.give("Before and after", AccessibilityAdjustmentDirection.increment))
            #expect(line() == "The line is at 35 percent")
            #expect(HostAnimations.count == 1)
            screen.environment.accessibilityReduceMotion = true
            #expect(screen.give("Before and after", AccessibilityAdjustmentDirection.decrement))
            #expect(line() == "The line is at 25 percent")
            #expect(HostAnimations.count == 1)
            #expect(screen.press("Share"))
            let whole = try await shared(screen)
            #expect(screen.give("Strength", 0.0))
            #expect(screen.press("Share"))
            let before = try await shared(screen)
            #expect(whole != before && whole.starts(with: [0x89, 0x50, 0x4e, 0x47]))
            #expect(whole.range(of: Data("faces enhanced by edgesr".utf8)) != nil)
            #expect(screen.press("Photo"))
            #expect(screen.press("Save"))
            #expect(await stage.reads("Saved"))
            #expect(HostPhotos.asked == .addOnly)
            #expect(HostPhotos.added.count == 1 && HostPhotos.added.first != before)
            #expect(screen.press("Why"))
            #expect(screen.texts.contains("Which photo counted where"))
            #expect(screen.tree.all.contains { $0.attributes["label"] == "Photo 1 counted 100 percent on average" })
        }

        private func shared(_ screen: Screen) async throws -> Data {
            let picture = try #require(screen.shared as? SharedPicture)
            return try #require(try await HostTransfer.data(of: picture))
        }

        @Test func ofSeveralFacesOnlyThePersonGetsTheGallery() async throws {
            let stage = try Stage()
            await stage.learn("portrait-0027_1.jpg")
            await stage.restore("ten.jpg")
            #expect(await stage.reads("Whose face?"))
            let pipeline = stage.booth.pipeline, looked = try await pipeline.look()
            let fourth = try #require(looked.faces.dropFirst(3).first)
            // A network for smaller faces than these says that they are large, whoever's photos serve it.
            let plain = try await pipeline.restore(fourth, of: looked.photo, with: stage.booth.precision, own: false)
            #expect(!plain.face.isLarge || plain.face.lr.width < 32)
            let large = "This face is large in the photo already, so there was little to add."
            let mine = plain.face.isLarge ? large : "With the features of 1 photo of yours."
            let others = plain.face.isLarge ? large : "Restored without your photos, since it is somebody else’s face."
            let faces = stage.screen.tree.all.filter { $0.action != nil && $0.attributes["label"]?.hasPrefix("Face ") == true }
            #expect(faces.count == 10)
            #expect(stage.screen.press("Face 4"))
            #expect(await stage.reads(mine))
            #expect(stage.screen.press("Somebody else’s"))
            #expect(await stage.reads(others))
            for own in [true, false] {
                let outcome = try await pipeline.restore(fourth, of: looked.photo, with: stage.booth.precision, own: own)
                #expect(outcome.face.exemplars == (own ? [0] : []))
            }
            #expect(stage.screen.press("Of my photos"))
            #expect(await stage.reads(mine))
            await stage.restore("ten.jpg")
            #expect(await stage.reads("Whose face?"))
            #expect(stage.screen.press("None of them"))
            #expect(await stage.reads("10 faces are in this photo. Choose the one to restore."))
            #expect(stage.screen.press("Face 1"))
            #expect(await stage.reads(others))
        }

        @Test func theSwitchChangesTheNetworkAndIsRemembered() async throws {
            let stage = try Stage()
            await stage.restore("small.jpg")
            #expect(await stage.restored())
            #expect(stage.screen.texts.contains("Restored without photos of this person. Add some to bring back their own features."))
            #expect(stage.booth.available == Stage.precisions)
            guard Stage.precisions.count > 1 else {
                #expect(stage.screen.texts.contains("Only the float network is in this build."))
                return
            }
            #expect(stage.booth.precision == .int8)
            #expect(stage.screen.press("float"))
            #expect(await stage.screen.until { _ in stage.booth.precision == .float })
            let chosen = await stage.screen.until { screen in
                screen.tree.all.contains { $0.attributes["option"] == "chosen" && $0.all.contains { $0.text == "float" } }
            }
            #expect(chosen)
            #expect(stage.screen.texts.contains { $0.contains(" ms on this device") })
        }

        @Test func aPhotoFromTheCameraGoesToTheResult() async throws {
            let stage = try Stage()
            HostCamera.photo = try Data(contentsOf: Stage.photo("small.jpg"))
            stage.booth.path = [.camera]
            let ready = await stage.screen.until { $0.control("Take the photo") { $0.action != nil } != nil }
            #expect(ready)
            #expect(stage.screen.press("Switch between front and back camera"))
            #expect(stage.screen.press("Take the photo"))
            #expect(await stage.screen.until { _ in stage.booth.path == [.result] })
            #expect(await stage.restored())
        }

        @Test func onAWideScreenPictureAndControlsLieSideBySide() async throws {
            let stage = try Stage()
            stage.screen.environment.horizontalSizeClass = .regular
            await stage.restore("small.jpg")
            #expect(await stage.restored())
            let beside = stage.screen.tree.all.filter { $0.kind == "hstack" && $0.all.contains { $0.attributes["label"] == "Strength" } }
            #expect(beside.contains { $0.all.contains { $0.attributes["label"] == "Before and after" } })
        }

        @Test func measurementsAreTakenAndExported() async throws {
            let stage = try Stage()
            let model = MeasureModel(booth: stage.booth, warmUp: 1, runs: 3)
            let screen = Screen(MeasureView(model: model))
            screen.inject(stage.booth)
            #expect(!screen.press("Export JSON"))
            #expect(screen.press("Measure"))
            #expect(await screen.until { _ in model.busy == nil && model.rows.count == 2 * Stage.precisions.count })
            Stage.check(screen, "measure-done")
            #expect(screen.press("Export JSON"))
            let sent = try #require(screen.shared as? SharedMeasurements)
            let json = try Json.parse(try #require(try await HostTransfer.data(of: sent)))
            #expect(json["format"]?.text == "edgesr-device-results" && json["format_version"]?.integer == 1)
            let results = try #require(json["results"]?.items)
            #expect(results.map { $0["graph"]?.text } == Stage.precisions.flatMap { _ in ["encode", "restore"] })
            for row in results {
                let (p10, median, p90) = (row["ms_p10"]?.double, row["ms_median"]?.double, row["ms_p90"]?.double)
                #expect((p10 ?? 0) > 0 && (p10 ?? 0) <= (median ?? 0) && (median ?? 0) <= (p90 ?? 0))
                #expect(row["checkpoint_sha256"]?.text?.count == 64)
                #expect(row["unit"] == nil && row["runtime"]?.text == "coreml")
            }
            for row in model.rows { #expect(row.load > 0 && row.first > 0) }
            try sent.json.write(to: Stage.testdata.appendingPathComponent("device-results.json"))
        }

        @Test func goldenVectorsShowDecibelsAndWhetherTheyHold() async throws {
            let stage = try Stage()
            let model = GoldenModel(booth: stage.booth)
            let screen = Screen(GoldenView(model: model))
            screen.inject(stage.booth)
            #expect(screen.press("Run them"))
            var outputs = 0
            for precision in Stage.precisions {
                outputs += try await stage.booth.pipeline.engine(precision).manifest.kept.count + 2  // and the face, and the weights
            }
            let count = outputs * ComputeUnits.allCases.count
            #expect(await screen.until(240) { _ in !model.isBusy && model.rows.count == count })
            #expect(model.rows.allSatisfy { $0.least > 0 && $0.decibels > 20 })
            Stage.check(screen, "golden-done")
            #expect(model.rows.contains { $0.precision == .float && $0.output == "sr" && $0.decibels >= $0.least && $0.holds })
            #expect(screen.texts.contains { $0.hasSuffix(" dB of 50") })
        }
    }
}

extension Text {
    /// What stands on the screen.
    @MainActor var words: String { Screen(self).texts.first ?? "" }
}
