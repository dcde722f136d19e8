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

/// What the app does, without a screen: decoding, finding, aligning, learning, restoring. One thing at a time, and never
/// on the main actor.
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

    /// A face may turn out so much larger at a closer look.
    private static let firstLook = 0.75
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
        let engine = try await engine(precision), manifest = engine.manifest
        let gallery = try await gallery(precision)
        let hash = sha256(of: content)
        if gallery.contains(hash) { return .refused(.known) }
        let photo: Pixels
        do {
            photo = try PhotoDecoder.decode(content)
        } catch Problem.tooLarge {
            return .refused(.huge)
        } catch {
            return .refused(.noImage)
        }
        let detector = try await detector()
        let found = try candidates(try await detector.detect(photo))
        guard let largest = found.first else { return .refused(.noFace) }
        if found.count > 1, which == nil { return .several(try found.map { try $0.alignment.crop(photo, size: Self.tile) }) }
        let chosen = which.flatMap { found.indices.contains($0) ? found[$0] : nil } ?? largest
        let face = try await detector.refine(photo, chosen)
        let square = try face.alignment, size = manifest.hrSize
        let crop = square.crop(photo, size: size), landmarks = square.cropLandmarks(face.landmarks, size: size)
        let quality = try Quality.judge(crop, landmarks: landmarks, sizePx: square.side)
        if let refusal = quality.refusals.first { return .refused(Unused(refusal)) }
        let label = try Label(photoSha256: hash, quality: quality)
        let descriptor = try Descriptor.of(crop, landmarks: landmarks)
        let fingerprint = Duplicates.fingerprint(photo)
        let twin = gallery.entries.first { same($0, descriptor, fingerprint) }
        if let twin, fingerprints[twin.label.photoSha256] == nil || worth(twin.label) >= worth(label) {
            // What was learned in an earlier session stays; of copies that come together the better one does.
            return .refused(.known)
        }
        // A copy of a picture that was learned shows whom that one shows.
        if twin == nil, !sure { return .unsure(crop) }
        let features = try await engine.encode(exemplar: crop.unit).value
        // Meanwhile other photos may have been learned or forgotten, or everything deleted and the screen left.
        try Task.checkCancellation()
        let now = try storage.gallery.read() ?? manifest.emptyGallery
        if now.contains(hash) { return .refused(.known) }
        let rest = twin.map { now.removing($0.label.photoSha256) } ?? now
        let ours = try manifest.check(rest)
        let entry = rest.entry(section: ours, features: try rest.sections[ours].pack(features), descriptor: descriptor, label: label)
        try storage.store(rest.adding(entry))
        fingerprints[hash] = fingerprint
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

    /// Those of the faces, the largest first, that can be learned from; where none can, the largest, to say why.
    private func candidates(_ faces: [Face]) throws -> [Face] {
        let large = try faces.filter { try $0.alignment.side >= Self.firstLook * Rules.Quality.leastSize }
        return large.isEmpty ? Array(faces.prefix(1)) : large
    }

    private func same(_ entry: Entry, _ descriptor: [Float], _ fingerprint: [Float]) -> Bool {
        if let known = fingerprints[entry.label.photoSha256] { return Duplicates.samePhoto(known, fingerprint) }
        return Duplicates.sameFace(entry.descriptor, descriptor)
    }

    /// Ranks copies of one photo: the larger first, by steps of 40 %, then the sharper.
    private func worth(_ label: Label) -> Double {
        let side = Double(label.quality["size_px"] ?? 0) / 1000, sharpness = Double(label.quality["sharpness"] ?? 0) / 1000
        return (2 * log2(max(side, 1))).rounded(.toNearestOrEven) + min(sharpness, 0.99)
    }

    // MARK: restoring

    /// The faces in the photo that was taken last.
    ///
    /// - Throws: ``Problem`` where there is none, or no face in it.
    func look() async throws -> Looked {
        let content = try storage.taken()
        let key = sha256(of: content)
        if let looked, looked.key == key { return looked.value }
        let photo = try PhotoDecoder.decode(content)
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
        let engine = try await engine(precision), manifest = engine.manifest
        let gallery = try await gallery(precision)
        let square = try face.alignment, lrSize = manifest.lrSize
        let native = Enhance.nativeCrop(photo, square), lr = Enhance.lrCrop(native, lrSize: lrSize)
        let section = try manifest.check(gallery)
        let query = try Descriptor.of(lr, landmarks: square.cropLandmarks(face.landmarks, size: lrSize))
        let chosen = own ? try gallery.choose(section: section, query: query, slots: manifest.slots) : []
        let slot = lrSize * lrSize * manifest.channels
        var features: [Float] = []
        for entry in chosen { features += try gallery.floats(section: section, entry: entry) }
        features += [Float](repeating: 0, count: (manifest.slots - chosen.count) * slot)
        let valid = (0..<manifest.slots).map { Float($0 < chosen.count ? 1 : 0) }
        let restored = try await engine.restore(lr: lr.unit, features: features, valid: valid)
        let hr = manifest.hrSize
        let sr = try Pixels(width: hr, height: hr, unit: restored.value.face)
        let after = Enhance.keepOwnDetail(sr, native: native, lrSize: lrSize)
        let (factor, _) = Regions.factor(
            faces: [(square.wholeSide, hr)], width: photo.width, height: photo.height, megapixels: Self.mostEnlarged)
        let enlarged = factor == 1 ? photo : Bicubic.resize(photo, width: photo.width * factor, height: photo.height * factor)
        let place = square.scaled(Double(factor))
        var pasted = enlarged
        Enhance.paste(after, into: &pasted, place)
        return Outcome(
            lr: lr, sr: sr, before: Bicubic.resize(native, width: hr, height: hr), after: after, photoBefore: enlarged,
            photoAfter: pasted, exemplars: chosen, weights: restored.value.weights, side: square.side, millis: restored.millis,
            isFirst: restored.isFirst, precision: precision, own: own, remembered: gallery.entries.count)
    }
}

/// A restored face and how it came about.
struct Outcome: Sendable {
    let lr: Pixels
    /// The network's own result.
    let sr: Pixels
    /// The face before, enlarged plainly, and after: what the slider compares.
    let before: Pixels
    let after: Pixels
    let photoBefore: Pixels
    let photoAfter: Pixels
    /// Indices into the gallery, the best first, and how much each counted, [slots, h, w].
    let exemplars: [Int]
    let weights: [Float]
    /// Side of the face's square in photo pixels.
    let side: Double
    let millis: Double
    /// Whether the graph ran for the first time: its time says nothing of the next.
    let isFirst: Bool
    let precision: Precision
    /// Whether it is the gallery's person, as somebody said, and how many photos the gallery remembers.
    let own: Bool
    let remembered: Int

    /// Whether the face is so large that there was little to add.
    var isLarge: Bool { side > Rules.Regions.most * Double(lr.width) }

    /// The face, or the whole photo, with so much of the result in it, 0 to 1.
    func picture(whole: Bool, strength: Double) throws -> Pixels {
        try Enhance.blend(under: whole ? photoBefore : before, over: whole ? photoAfter : after, share: strength)
    }

    /// Over the face how much the nth of the chosen exemplars counted where, and its share of all on average.
    func heatmap(_ n: Int) throws -> (picture: Pixels, share: Double) {
        let area = lr.width * lr.height
        guard (n + 1) * area <= weights.count else { throw Problem.unknown }
        func of(_ k: Int) -> ArraySlice<Float> { weights[k * area..<(k + 1) * area] }
        let total = exemplars.indices.reduce(0.0) { sum, k in sum + of(k).reduce(0.0) { $0 + Double($1) } }
        let share = total > 0 ? of(n).reduce(0.0) { $0 + Double($1) } / total : 0
        let picture = try Heatmap.over(after, weights: Array(of(n)), side: lr.width, count: exemplars.count)
        return (picture, share)
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
