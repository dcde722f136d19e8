import BoothCore
import Foundation

/// A network and a face detector, loaded once: makes the tiny faces of photos sharp with a person's own features.
///
/// ```swift
/// let restorer = try await FaceRestorer(models: modelsURL)
/// var gallery = restorer.emptyGallery
/// gallery = try await restorer.learn(portrait, into: gallery)       // once a photo of the person
/// let photo = try PhotoCoder.decode(content)
/// let enhanced = try await restorer.enhance(photo, gallery: gallery)
/// let png = try PhotoCoder.png(enhanced.picture())
/// ```
///
/// Everything slow happens here, never on the main actor, and one thing at a time between two calls of a network. Several
/// tasks may call at once. What can fail throws one of ``EngineError``, ``LearningError``, ``PhotoError`` and BoothCore's
/// `GalleryError`, `FaceError`, `PictureError` and `BundleError`, each with a sentence as its description; a task that is
/// cancelled throws `CancellationError`.
public actor FaceRestorer {
    /// What runs the network; its ``Engine/manifest`` says which network it is.
    public nonisolated let engine: any Engine
    let detector: FaceDetector

    /// With an engine and a detector of one's own, which several restorers may share.
    public init(engine: any Engine, detector: FaceDetector) {
        self.engine = engine
        self.detector = detector
    }

    /// Opens the network and the detector that lie in an app's resources.
    ///
    /// Every file is compared with its hash in the manifest before Core ML compiles it, once a version of the models.
    ///
    /// - Parameters:
    ///   - models: a folder with a folder for each network (`manifest.json`, `model.mlpackage`) and the folder `detector`.
    ///   - network: name of the network's folder; ``networks(in:)`` lists what there is.
    ///   - computeUnits: what Core ML may run them on.
    ///   - caches: where compiled models are kept; the app's caches folder unless told otherwise.
    /// - Throws: ``EngineError`` where a model is missing, damaged, for another runtime, or refused by Core ML.
    public init(models: URL, network: String = "int8", computeUnits: ComputeUnits = .all, caches: URL? = nil) async throws {
        let compiled = CompiledModels(folder: caches ?? Self.caches)
        let bundle = ModelFolder(models.appendingPathComponent(network)), faces = ModelFolder(models.appendingPathComponent("detector"))
        self.init(
            engine: try await CoreMLEngine(bundle: bundle, computeUnits: computeUnits, compiled: compiled),
            detector: FaceDetector(try await DetectorNetwork(folder: faces, computeUnits: computeUnits, compiled: compiled)))
    }

    /// Names of the networks in a folder of models, sorted: of those folders that have a manifest.
    public static func networks(in models: URL) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: models.path)) ?? []
        return names.sorted().filter {
            FileManager.default.fileExists(atPath: models.appendingPathComponent("\($0)/manifest.json").path)
        }
    }

    private static var caches: URL {
        let found = try? FileManager.default.url(for: .cachesDirectory, in: .userDomainMask, appropriateFor: nil, create: true)
        return (found ?? FileManager.default.temporaryDirectory).appendingPathComponent("edgesr")
    }

    /// A gallery of this network's features with nobody in it.
    public nonisolated var emptyGallery: Gallery { engine.manifest.emptyGallery }

    // MARK: restoring

    /// The faces of a photo, the largest first, with landmarks as exact as the network's training had them.
    ///
    /// - Parameters:
    ///   - tiny: look for faces of a few pixels too: takes several times as long.
    ///   - progress: told how many of all looks at the photo are done.
    /// - Throws: ``EngineError``, `CancellationError`.
    public func faces(
        in photo: Pixels, tiny: Bool = true, progress: @Sendable (_ done: Int, _ all: Int) async -> Void = { _, _ in }
    ) async throws -> [Face] {
        try await detector.findFaces(photo, tiny: tiny, progress: progress)
    }

    /// Restores one face of a photo, whatever its size; the photo stays as it is.
    ///
    /// - Parameter gallery: of the face's own person: the best exemplars are chosen from it. Without one, or with an empty
    ///   one, the network has the tiny face alone.
    /// - Throws: ``EngineError``, `GalleryError` where the gallery is another network's, `FaceError` for no proper face.
    public func restore(_ face: Face, of photo: Pixels, gallery: Gallery? = nil) async throws -> RestoredFace {
        let manifest = engine.manifest, lrSize = manifest.lrSize, hr = manifest.hrSize
        let square = try face.alignment
        let native = Enhance.nativeCrop(photo, square), lr = Enhance.lrCrop(native, lrSize: lrSize)
        let gallery = gallery ?? emptyGallery, section = try manifest.check(gallery)
        let query = try Descriptor.of(lr, landmarks: square.cropLandmarks(face.landmarks, size: lrSize))
        let chosen = try gallery.choose(section: section, query: query, slots: manifest.slots)
        let features = manifest.slotted(try chosen.map { try gallery.floats(section: section, entry: $0) })
        let valid = (0..<manifest.slots).map { Float($0 < chosen.count ? 1 : 0) }
        let restored = try await engine.restore(lr: lr.unit, features: features, valid: valid)
        let sr = try Pixels(width: hr, height: hr, unit: restored.value.face)
        return RestoredFace(
            face: face, square: square, lr: lr, sr: sr, before: Bicubic.resize(native, width: hr, height: hr),
            after: Enhance.keepOwnDetail(sr, native: native, lrSize: lrSize), exemplars: chosen, weights: restored.value.weights,
            millis: restored.millis, isFirst: restored.isFirst)
    }

    /// A photo with every face restored that gains from it, by the rules of `edgesr enhance`.
    ///
    /// Nothing here can tell people apart. A face that is alone in the photo is taken for the gallery's person; of several
    /// none gets the gallery's features unless `person` says which: put on somebody else they would change who it is.
    ///
    /// - Parameters:
    ///   - gallery: of one person's photos; without it faces are restored from the photo alone.
    ///   - faces: of the photo, where they are known already; ``faces(in:tiny:progress:)`` finds them otherwise.
    ///   - person: which of `faces` is the gallery's person.
    ///   - megapixels: the photo is enlarged so that its restored faces show, up to so many.
    /// - Returns: the photo as it was where no face in it gains.
    /// - Throws: what ``restore(_:of:gallery:)`` throws, `CancellationError`.
    public func enhance(
        _ photo: Pixels, gallery: Gallery? = nil, faces: [Face]? = nil, person: Face? = nil,
        megapixels: Double = Rules.Regions.mostMegapixels
    ) async throws -> EnhancedPhoto {
        let found: [Face]
        if let faces { found = faces } else { found = try await self.faces(in: photo) }
        let meant = person ?? (found.count == 1 ? found.first : nil)
        var restored: [RestoredFace] = []
        for face in found where Regions.gain(side: try face.alignment.wholeSide, lrSize: engine.manifest.lrSize) == .gains {
            try Task.checkCancellation()
            restored.append(try await restore(face, of: photo, gallery: face == meant ? gallery : nil))
        }
        return EnhancedPhoto(photo, faces: restored, megapixels: megapixels)
    }
}

/// A restored face and how it came about.
public struct RestoredFace: Sendable {
    public let face: Face
    /// Its square in the photo.
    public let square: Alignment
    /// What the network saw.
    public let lr: Pixels
    /// The network's own result.
    public let sr: Pixels
    /// The aligned face as it was, enlarged plainly, and as it is: of one size, to compare.
    public let before: Pixels
    public let after: Pixels
    /// Indices into the gallery, the best first.
    public let exemplars: [Int]
    /// How much each of them counted at each place, [slots, h, w], 0 to 1.
    public let weights: [Float]
    /// What the network took.
    public let millis: Double
    /// Whether it ran for the first time since it was loaded: its time says nothing of the next.
    public let isFirst: Bool

    /// Whether the face was so large in the photo that there was little to add.
    public var isLarge: Bool { square.side > Rules.Regions.most * Double(lr.width) }

    /// The aligned face with so much of the result in it, 0 to 1.
    public func picture(strength: Double = 1) throws -> Pixels { try Enhance.blend(under: before, over: after, share: strength) }

    /// Over the face how much the nth of its exemplars counted where, and its share of all on average.
    ///
    /// - Throws: `PictureError` where there is no nth.
    public func heatmap(_ n: Int) throws -> (picture: Pixels, share: Double) {
        let area = lr.width * lr.height
        guard exemplars.indices.contains(n), exemplars.count * area <= weights.count else {
            throw PictureError("exemplar \(n + 1) of \(exemplars.count)", hint: "ask for one of those that were chosen")
        }
        func of(_ k: Int) -> ArraySlice<Float> { weights[k * area..<(k + 1) * area] }
        let total = exemplars.indices.reduce(0.0) { sum, k in sum + of(k).reduce(0.0) { $0 + Double($1) } }
        let share = total > 0 ? of(n).reduce(0.0) { $0 + Double($1) } / total : 0
        return (try Heatmap.over(after, weights: Array(of(n)), side: lr.width, count: exemplars.count), share)
    }
}

/// A photo with restored faces in it.
public struct EnhancedPhoto: Sendable {
    /// So many times as large as the photo, a whole number.
    public let factor: Int
    /// The photo enlarged plainly, and the same with the faces in it.
    public let before: Pixels
    public let after: Pixels
    /// What was restored, in the order in which it was pasted.
    public let faces: [RestoredFace]

    /// Enlarges the photo so that the restored faces show, up to so many megapixels, and pastes them.
    public init(_ photo: Pixels, faces: [RestoredFace], megapixels: Double = Rules.Regions.mostMegapixels) {
        let sides = faces.map { ($0.square.wholeSide, $0.after.width) }
        (factor, _) =
            faces.isEmpty ? (1, false) : Regions.factor(faces: sides, width: photo.width, height: photo.height, megapixels: megapixels)
        before = factor == 1 ? photo : Bicubic.resize(photo, width: photo.width * factor, height: photo.height * factor)
        var pasted = before
        for one in faces { Enhance.paste(one.after, into: &pasted, one.square.scaled(Double(factor))) }
        after = pasted
        self.faces = faces
    }

    /// The photo with so much of the result in it, 0 to 1.
    public func picture(strength: Double = 1) throws -> Pixels { try Enhance.blend(under: before, over: after, share: strength) }
}
