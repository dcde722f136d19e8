import BoothCore
import Foundation
import Observation
import PhotosUI
import SwiftUI

/// The photos that were learned from: add several, see why one was refused, forget one, delete everything.
@MainActor @Observable final class GalleryModel {
    /// A photo as it is remembered.
    struct Tile: Identifiable {
        let id: String
        let number: Int
        let sharpness: Int
        let picture: Bitmap?
    }

    struct NotUsed: Identifiable, Equatable {
        let id: Int
        let name: String
        let reason: Unused
    }

    /// What only a person can say.
    enum Question: Identifiable {
        case whose(name: String, faces: [Bitmap?])
        case alike(names: [String], faces: [Bitmap?], remembered: Bool)

        var id: String {
            switch self {
            case .whose(let name, _): "whose \(name)"
            case .alike: "alike"
            }
        }
    }

    private struct Unsure {
        let photo: PickedPhoto
        let which: Int?
        let face: Pixels
    }

    private(set) var tiles: [Tile]?
    private(set) var notUsed: [NotUsed] = []
    private(set) var problem: Problem?
    /// Photos that are looked at, and the one of them that is.
    private(set) var progress: (done: Int, all: Int)?
    private(set) var question: Question?
    /// From the choice of photos, which may come from afar, to the new list of tiles: nothing else is chosen so long.
    private(set) var isLearning = false
    private var answer: CheckedContinuation<Set<Int>, Never>?
    /// Questions that were asked so far: the number of the last one.
    private var asked = 0
    private let booth: Booth

    init(booth: Booth) { self.booth = booth }

    func refresh() async {
        do {
            let gallery = try await booth.pipeline.gallery(booth.precision)
            tiles = await background {
                gallery.entries.enumerated().map { i, entry in
                    let sharpness = min(max((entry.label.quality["sharpness"] ?? 0) / 10, 0), 100)
                    let picture = (try? Remembered.picture(of: entry.descriptor)).flatMap(Bitmap.init)
                    return Tile(id: entry.label.photoSha256, number: i + 1, sharpness: sharpness, picture: picture)
                }
            }
            problem = nil
        } catch {
            problem = Problem(error)
        }
        await booth.refresh()
    }

    /// Loads photos and looks at one after the other; of those that nothing here can judge, asks at the end.
    func learn(_ items: [PhotosPickerItem]) async {
        guard !isLearning else { return }
        isLearning = true
        defer { isLearning = false }
        notUsed = []
        do {
            try await learnAll(try await load(items))
        } catch is CancellationError {
            // The screen has gone; what was learned by then is kept.
        } catch {
            problem = Problem(error)
        }
        progress = nil
        question = nil
        if problem == nil { await refresh() } else { await booth.refresh() }
    }

    private func load(_ items: [PhotosPickerItem]) async throws -> [PickedPhoto] {
        var photos: [PickedPhoto] = []
        for item in items {
            let loaded = await item.photo()
            // What is broken off looks like what cannot be read.
            try Task.checkCancellation()
            switch loaded {
            case .success(let photo): photos.append(photo)
            case .failure: refuse("", .noImage)
            }
        }
        return photos
    }

    private func learnAll(_ photos: [PickedPhoto]) async throws {
        let pipeline = booth.pipeline, precision = booth.precision
        let remembered = try await pipeline.gallery(precision).entries.count
        // The first photo of all can only be of whom it shows.
        let sure = remembered == 0 && photos.count == 1
        var unsure: [Unsure] = []
        var added = 0
        for (i, photo) in photos.enumerated() {
            try Task.checkCancellation()
            progress = (i, photos.count)
            var which: Int?
            var examined = try await pipeline.learn(photo.content, with: precision, sure: sure)
            if case .several(let faces) = examined {
                which = try await ask(.whose(name: photo.name, faces: faces.map(Bitmap.init))).first
                if let which {
                    examined = try await pipeline.learn(photo.content, with: precision, which: which, sure: sure)
                } else {
                    examined = .refused(.several)
                }
            }
            switch examined {
            case .learned: added += 1
            case .refused(let reason): refuse(photo.name, reason)
            case .unsure(let face): unsure.append(Unsure(photo: photo, which: which, face: face))
            case .several: refuse(photo.name, .several)
            }
        }
        progress = nil
        var chosen = Set(unsure.indices)
        // A single photo that comes to an empty gallery needs no comparison.
        if !unsure.isEmpty, unsure.count > 1 || remembered + added > 0 {
            let faces = unsure.map { Bitmap($0.face) }
            chosen = try await ask(.alike(names: unsure.map(\.photo.name), faces: faces, remembered: remembered + added > 0))
        }
        for (i, one) in unsure.enumerated() {
            progress = (i, unsure.count)
            guard chosen.contains(i) else {
                refuse(one.photo.name, .other)
                continue
            }
            let examined = try await pipeline.learn(one.photo.content, with: precision, which: one.which, sure: true)
            if case .refused(let reason) = examined { refuse(one.photo.name, reason) }
        }
    }

    /// Puts a question on the screen and waits for its answer.
    ///
    /// - Throws: `CancellationError` where the screen goes: nobody can answer any more.
    private func ask(_ question: Question) async throws -> Set<Int> {
        try Task.checkCancellation()
        asked += 1
        let number = asked
        let chosen = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                answer = continuation
                self.question = question
            }
        } onCancel: {
            Task { @MainActor in abandon(number) }
        }
        try Task.checkCancellation()
        return chosen
    }

    /// Ends the wait for an answer that cannot come, unless another question has been asked since.
    private func abandon(_ number: Int) {
        if asked == number { reply([]) }
    }

    /// The question on the screen; putting it away answers it with nobody.
    var presented: Question? {
        get { question }
        set { if newValue == nil, question != nil { reply([]) } }
    }

    /// The faces that were chosen, none of them where the question was put away.
    func reply(_ chosen: Set<Int>) {
        question = nil
        answer?.resume(returning: chosen)
        answer = nil
    }

    private func refuse(_ name: String, _ reason: Unused) {
        notUsed.append(NotUsed(id: notUsed.count, name: name, reason: reason))
    }

    func forget(_ tile: Tile) async {
        do {
            try await booth.pipeline.forget(tile.id, with: booth.precision)
            await refresh()
        } catch {
            problem = Problem(error)
        }
    }

    func wipe() async {
        notUsed = []
        do {
            try await booth.wipe()
            await refresh()
        } catch {
            problem = Problem(error)
        }
    }
}

/// The picture that a descriptor amounts to: 8 x 8 cells of light, 4 x 4 of colour.
enum Remembered {
    static func picture(of descriptor: [Float]) throws -> Pixels {
        let grid = Rules.Descriptor.grid, coarse = Rules.Descriptor.chromaGrid
        let mean = grid * grid, contrast = mean + 1, chroma = contrast + 1, cells = coarse * coarse
        guard descriptor.count == Descriptor.size else { throw Problem.galleryOther }
        var unit: [Float] = []
        for y in 0..<grid {
            for x in 0..<grid {
                let cell = chroma + (y * coarse / grid) * coarse + x * coarse / grid
                let luma = descriptor[y * grid + x] * descriptor[contrast] + descriptor[mean]
                let red = descriptor[cell], blue = descriptor[cell + cells]
                unit += [luma + red, luma - (0.299 * red + 0.114 * blue) / 0.587, luma + blue]
            }
        }
        return try Pixels(width: grid, height: grid, unit: unit)
    }
}
