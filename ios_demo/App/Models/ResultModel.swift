import BoothCore
import BoothEngine
import CoreGraphics
import Foundation
import Observation

/// One photo: whose face, the face before and after, the photo before and after, and which exemplar counted where.
@MainActor @Observable final class ResultModel {
    enum Phase {
        case looking, restoring
        /// Somebody has to say whose face it is, or which of the others is to be restored.
        case who(faces: [Bitmap?], others: Bool)
        case done(Restoration)
        case problem(Problem)
    }

    enum Shown: String, CaseIterable, Hashable { case face, photo, why }

    private(set) var phase = Phase.looking
    var shown = Shown.face
    /// Where the line is: 0 shows only the result, 1 only what was there before.
    var split = 0.5
    /// How much of the result is in what is shown and saved, 0 to 1.
    var strength = 1.0
    private(set) var saved = false
    /// What stood in the way of saving; the result is still there.
    var saveProblem: Problem?
    private var looked: Looked?
    private var face: Int?
    private let booth: Booth

    init(booth: Booth) { self.booth = booth }

    var available: [Precision] { booth.available }

    func start() async {
        phase = .looking
        do {
            let looked = try await booth.pipeline.look()
            self.looked = looked
            let remembered = try await booth.pipeline.gallery(booth.precision).entries.count
            if looked.faces.count == 1 {
                // Who is alone in a photo is taken for the person that it was chosen for; of several somebody has to say.
                await restore(0, own: true)
            } else {
                await ask(others: remembered == 0)
            }
        } catch is CancellationError {
            return
        } catch {
            phase = .problem(Problem(error))
        }
    }

    /// Ask which face is the gallery's person, or which of the `others` is to be restored.
    func ask(others: Bool) async {
        guard let looked else { return }
        let tiles = await background {
            looked.faces.map { face in (try? face.alignment.crop(looked.photo, size: Pipeline.tile)).flatMap(Bitmap.init) }
        }
        phase = .who(faces: tiles, others: others)
    }

    /// Restores a face; with the gallery's features only if it is its `own` person.
    func restore(_ index: Int, own: Bool) async {
        guard let looked, looked.faces.indices.contains(index) else { return }
        face = index
        saved = false
        if case .done = phase {} else { phase = .restoring }
        do {
            let outcome = try await booth.pipeline.restore(looked.faces[index], of: looked.photo, with: booth.precision, own: own)
            phase = .done(try await background { try Restoration(outcome) })
        } catch is CancellationError {
            return
        } catch {
            phase = .problem(Problem(error))
        }
    }

    func choose(own: Bool) async {
        guard let face else { return }
        await restore(face, own: own)
    }

    func choose(_ precision: Precision) async {
        guard let face, precision != booth.precision, case .done(let restoration) = phase else { return }
        booth.precision = precision
        await restore(face, own: restoration.outcome.own)
    }

    /// Whether it is the gallery's person; setting it restores the face anew.
    var own: Bool {
        get { if case .done(let restoration) = phase { restoration.outcome.own } else { false } }
        set { Task { await choose(own: newValue) } }
    }

    /// The network that restores; setting it restores the face anew.
    var precision: Precision {
        get { booth.precision }
        set { Task { await choose(newValue) } }
    }

    /// Whether the sentence of why the picture was not saved is on the screen.
    var isUnsaved: Bool {
        get { saveProblem != nil }
        set { if !newValue { saveProblem = nil } }
    }

    /// What is shown, as a PNG.
    var picture: SharedPicture? {
        guard case .done(let restoration) = phase else { return nil }
        let whole = shown == .photo, strength = strength, outcome = restoration.outcome
        return SharedPicture { try PhotoCoder.png(try outcome.picture(whole: whole, strength: strength)) }
    }

    /// Adds what is shown to the photo library.
    func save(to library: any PhotoKeeping) async {
        guard let picture else { return }
        do {
            try await library.add(png: try await picture.make())
            saved = true
        } catch {
            saveProblem = Problem(error)
        }
    }
}

/// An outcome with its pictures ready for the screen.
struct Restoration: Sendable {
    struct Counted: Identifiable, Sendable {
        let id: Int
        /// Of the photo in the gallery, from 1.
        let number: Int
        let percent: Int
        let picture: Bitmap?
    }

    let outcome: Outcome
    let before, after, photoBefore, photoAfter: Bitmap
    let counted: [Counted]

    init(_ outcome: Outcome) throws {
        guard let before = Bitmap(outcome.face.before), let after = Bitmap(outcome.face.after),
            let photoBefore = Bitmap(outcome.photo.before), let photoAfter = Bitmap(outcome.photo.after)
        else { throw Problem.unknown }
        self.outcome = outcome
        (self.before, self.after, self.photoBefore, self.photoAfter) = (before, after, photoBefore, photoAfter)
        counted = try outcome.face.exemplars.enumerated().map { n, entry in
            let (picture, share) = try outcome.face.heatmap(n)
            return Counted(id: n, number: entry + 1, percent: Int((share * 100).rounded()), picture: Bitmap(picture))
        }
    }
}
