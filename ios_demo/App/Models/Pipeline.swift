import BoothCore
import BoothEngine
import Foundation

/// Which of the two networks runs.
enum Precision: String, CaseIterable, Sendable { case int8, float }

/// A photo that was decoded, and the faces in it, the largest first.
struct Looked: Sendable {
    let photo: Pixels
    let faces: [Face]
}

/// Why a photo is not learned from.
enum Unused: String, CaseIterable, Sendable {
    case noFace, several, other, small, dark, bright, blurred, turned, noImage, known, huge
}

/// What came of a photo to learn from.
enum Examined: Sendable {
    case learned
    case refused(Unused)
    /// Somebody has to say which of these is the person; what they look like.
    case several([Pixels])
    /// Nothing here can tell whether it is the gallery's person: somebody has to say.
    case unsure(Pixels)
}

/// What the app does, without a screen: the library's `FaceRestorer`, with what is kept of whom. Never on the main actor.
actor Pipeline {
    nonisolated let storage: Storage
    /// The folder with a folder for each network, and the detector's.
    nonisolated let models: URL
    private let compiled: CompiledModels
    private var engines: [Precision: any Engine] = [:]
    private var detectorNetwork: DetectorNetwork?
    private var looked: (key: String, value: Looked)?
    /// Of the photos that were learned since the app started, by their SHA-256; pictures in effect, so never stored.
    private var fingerprints: [String: [Float]] = [:]

    static let tile = 128
    private static let mostEnlarged = 4.0

    init(storage: Storage, models: URL) {
        self.storage = storage
        self.models = models
        compiled = CompiledModels(folder: storage.caches)
    }

    // MARK: networks

    /// The networks in this build, the one to prefer first.
    nonisolated var available: [Precision] {
        let found = Precision.allCases.filter {
            FileManager.default.fileExists(atPath: models.appendingPathComponent("\($0.rawValue)/manifest.json").path)
        }
        return found.isEmpty ? [.float] : found
    }

    func engine(_ precision: Precision) async throws -> any Engine {
        if let open = engines[precision] { return open }
        let opened = try await open(precision)
        engines[precision] = opened
        return opened
    }

    /// A network of one's own, loaded anew.
    func open(_ precision: Precision, units: ComputeUnits = .all) async throws -> CoreMLEngine {
        try await CoreMLEngine(bundle: bundle(precision), computeUnits: units, compiled: compiled)
    }

    nonisolated func bundle(_ precision: Precision) -> ModelFolder { ModelFolder(models.appendingPathComponent(precision.rawValue)) }

    private func restorer(_ precision: Precision) async throws -> FaceRestorer {
        FaceRestorer(engine: try await engine(precision), detector: try await detector())
    }

    private func detector() async throws -> FaceDetector {
        if let detectorNetwork { return FaceDetector(detectorNetwork) }
        let opened = try await DetectorNetwork(folder: ModelFolder(models.appendingPathComponent("detector")), compiled: compiled)
        detectorNetwork = opened
        return FaceDetector(opened)
    }

    // MARK: learning

    /// The gallery, empty where there is none.
    ///
    /// - Throws: `GalleryError` where it cannot be used with this network.
    func gallery(_ precision: Precision) async throws -> Gallery {
        let manifest = try await engine(precision).manifest
        let gallery = try storage.gallery.read() ?? manifest.emptyGallery
        _ = try manifest.check(gallery)
        return gallery
    }

    /// Learns from a photo, or says why not, or what somebody has to say first: `which` of its faces, and whether one is
    /// `sure` that it is the gallery's person.
    ///
    /// - Throws: ``Problem`` where it cannot be stored.
    func learn(_ content: Data, with precision: Precision, which: Int? = nil, sure: Bool = false) async throws -> Examined {
        let gallery = try await gallery(precision)
        let hash = sha256(of: content)
        if gallery.contains(hash) { return .refused(.known) }
        let photo: Pixels
        do {
            photo = try PhotoCoder.decode(content)
        } catch PhotoError.tooLarge {
            return .refused(.huge)
        } catch {
            return .refused(.noImage)
        }
        let restorer = try await restorer(precision)
        let found = try await restorer.candidates(in: photo)
        guard let largest = found.first else { return .refused(.noFace) }
        if found.count > 1, which == nil { return .several(try found.map { try $0.alignment.crop(photo, size: Self.tile) }) }
        let chosen = which.flatMap { found.indices.contains($0) ? found[$0] : nil } ?? largest
        let portrait: Portrait
        do {
            portrait = try await restorer.portrait(of: chosen, in: photo, photoSha256: hash)
        } catch LearningError.refused(let refusal) {
            return .refused(Unused(refusal))
        }
        let twin = gallery.entries.first { same($0, portrait) }
        if let twin, fingerprints[twin.label.photoSha256] == nil || Portrait.worth(twin.label) >= Portrait.worth(portrait.label) {
            // What was learned in an earlier session stays; of copies that come together the better one does.
            return .refused(.known)
        }
        // A copy of a picture that was learned shows whom that one shows.
        if twin == nil, !sure { return .unsure(portrait.crop) }
        let exemplar = try await restorer.exemplar(of: portrait)
        // Meanwhile other photos may have been learned or forgotten, or everything deleted and the screen left.
        try Task.checkCancellation()
        let now = try storage.gallery.read() ?? restorer.emptyGallery
        if now.contains(hash) { return .refused(.known) }
        try storage.store(restorer.adding(exemplar, to: twin.map { now.removing($0.label.photoSha256) } ?? now))
        fingerprints[hash] = portrait.fingerprint
        return .learned
    }

    func forget(_ photoSha256: String, with precision: Precision) async throws {
        try storage.store(try await gallery(precision).removing(photoSha256))
    }

    /// Overwrites and deletes all that the app holds of anybody.
    func wipe() throws {
        try storage.wipe()
        looked = nil
        fingerprints = [:]
    }

    private func same(_ entry: Entry, _ portrait: Portrait) -> Bool {
        if let known = fingerprints[entry.label.photoSha256] { return Duplicates.samePhoto(known, portrait.fingerprint) }
        return Duplicates.sameFace(entry.descriptor, portrait.descriptor)
    }

    // MARK: restoring

    /// The faces in the photo that was taken last.
    ///
    /// - Throws: ``Problem`` where there is none, or no face in it.
    func look() async throws -> Looked {
        let content = try storage.taken()
        let key = sha256(of: content)
        if let looked, looked.key == key { return looked.value }
        let photo = try PhotoCoder.decode(content)
        let detector = try await detector()
        var faces: [Face] = []
        for face in try await detector.detect(photo) {
            try Task.checkCancellation()
            faces.append(try await detector.refine(photo, face))
        }
        guard !faces.isEmpty else { throw Problem.noFace }
        let value = Looked(photo: photo, faces: faces)
        looked = (key, value)
        return value
    }

    /// Restores a face; with the gallery only if it is its `own` person.
    func restore(_ face: Face, of photo: Pixels, with precision: Precision, own: Bool) async throws -> Outcome {
        let gallery = try await gallery(precision)
        let restored = try await restorer(precision).restore(face, of: photo, gallery: own ? gallery : nil)
        return Outcome(
            face: restored, photo: EnhancedPhoto(photo, faces: [restored], megapixels: Self.mostEnlarged), precision: precision, own: own,
            remembered: gallery.entries.count)
    }
}

/// A restored face and how it came about.
struct Outcome: Sendable {
    let face: RestoredFace
    let photo: EnhancedPhoto
    let precision: Precision
    /// Whether it is the gallery's person, as somebody said, and how many photos the gallery remembers.
    let own: Bool
    let remembered: Int

    /// The face, or the whole photo, with so much of the result in it, 0 to 1.
    func picture(whole: Bool, strength: Double) throws -> Pixels {
        try whole ? photo.picture(strength: strength) : face.picture(strength: strength)
    }
}

extension Unused {
    init(_ refusal: Quality.Refusal) {
        switch refusal {
        case .tooSmall: self = .small
        case .tooDark: self = .dark
        case .tooBright: self = .bright
        case .blurred: self = .blurred
        case .turnedAside, .turnedUp: self = .turned
        }
    }
}
