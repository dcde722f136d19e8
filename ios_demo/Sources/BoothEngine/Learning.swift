import BoothCore
import Foundation

/// Why nothing is learned from a photo.
public enum LearningError: Error, Equatable, CustomStringConvertible {
    case noFace
    /// It shows several people: say which is the person, by one of these.
    case several([Face])
    /// The face is too small, dark, bright, blurred or turned away.
    case refused(Quality.Refusal)
    /// The same picture has been learned already.
    case known

    public var description: String {
        switch self {
        case .noFace: "no face was found in the photo: choose another"
        case .several(let faces): "the photo shows \(faces.count) people: say which is the person"
        case .refused(let refusal): "\(Self.said(refusal)): choose another photo"
        case .known: "the same picture has been learned already"
        }
    }

    private static func said(_ refusal: Quality.Refusal) -> String {
        switch refusal {
        case .tooSmall(let side): "the face has \(Int(side)) pixels, and needs \(Int(Rules.Quality.leastSize))"
        case .tooDark: "the face is too dark"
        case .tooBright: "most of the face is white"
        case .blurred: "the face is blurred"
        case .turnedAside, .turnedUp: "the face is turned away from the camera"
        }
    }
}

/// A face that can be learned from, and what is known of it before the network sees it.
public struct Portrait: Sendable {
    /// The aligned face at the network's HR size.
    public let crop: Pixels
    /// What a gallery says of its photo.
    public let label: Label
    /// What exemplars are chosen by.
    public let descriptor: [Float]
    /// Of the whole photo: tells copies of one picture from two of a session. A picture in effect, so never to be stored.
    public let fingerprint: [Float]

    /// Ranks copies of one photo: the larger first, by steps of 40 %, then the sharper.
    public static func worth(_ label: Label) -> Double {
        let side = Double(label.quality["size_px"] ?? 0) / 1000, sharpness = Double(label.quality["sharpness"] ?? 0) / 1000
        return (2 * log2(max(side, 1))).rounded(.toNearestOrEven) + min(sharpness, 0.99)
    }
}

/// A portrait, and the features that a network keeps of it.
public struct Exemplar: Sendable {
    public let portrait: Portrait
    let features: [[Float]]
}

extension FaceRestorer {
    /// A face may turn out so much larger at a closer look.
    private static let firstLook = 0.75

    /// A gallery with one more photo of its person: what the network keeps of the face, and never the photo.
    ///
    /// Nothing here can tell people apart: that the photo shows the gallery's person is for a person to say.
    ///
    /// - Parameters:
    ///   - content: the photo's file, whose SHA-256 it is known by.
    ///   - face: the person's, where the photo shows several: one of those that ``LearningError/several(_:)`` brought.
    /// - Throws: ``LearningError``, ``PhotoError``, ``EngineError``, `GalleryError` where the gallery is another network's.
    public func learn(_ content: Data, into gallery: Gallery, face: Face? = nil) async throws -> Gallery {
        _ = try engine.manifest.check(gallery)
        let hash = sha256(of: content)
        guard !gallery.contains(hash) else { throw LearningError.known }
        let photo = try PhotoCoder.decode(content)
        let found: [Face]
        if let face { found = [face] } else { found = try await candidates(in: photo) }
        guard let only = found.first else { throw LearningError.noFace }
        guard found.count == 1 else { throw LearningError.several(found) }
        let portrait = try await portrait(of: only, in: photo, photoSha256: hash)
        guard !gallery.entries.contains(where: { Duplicates.sameFace($0.descriptor, portrait.descriptor) }) else {
            throw LearningError.known
        }
        return try adding(try await exemplar(of: portrait), to: gallery)
    }

    /// The faces of a photo that are large enough to learn from, the largest first; where none is, the largest alone, of
    /// which ``portrait(of:in:photoSha256:)`` says why not.
    ///
    /// - Throws: ``EngineError``.
    public func candidates(in photo: Pixels) async throws -> [Face] {
        let found = try await detector.detect(photo)
        let large = try found.filter { try $0.alignment.side >= Self.firstLook * Rules.Quality.leastSize }
        return large.isEmpty ? Array(found.prefix(1)) : large
    }

    /// A face of a photo, aligned and judged.
    ///
    /// - Throws: ``LearningError/refused(_:)``, ``EngineError``.
    public func portrait(of face: Face, in photo: Pixels, photoSha256: String) async throws -> Portrait {
        let refined = try await detector.refine(photo, face)
        let square = try refined.alignment, size = engine.manifest.hrSize, side = Rules.Quality.side
        // Judged and described at one size, as in Python, whatever the network's: entries of all networks compare.
        let seen = square.crop(photo, size: side), landmarks = square.cropLandmarks(refined.landmarks, size: side)
        let quality = try Quality.judge(seen, landmarks: landmarks, sizePx: square.side)
        if let refusal = quality.refusals.first { throw LearningError.refused(refusal) }
        return Portrait(
            crop: size == side ? seen : square.crop(photo, size: size), label: try Label(photoSha256: photoSha256, quality: quality),
            descriptor: try Descriptor.of(seen, landmarks: landmarks), fingerprint: Duplicates.fingerprint(photo))
    }

    /// What the network keeps of a portrait.
    ///
    /// - Throws: ``EngineError``.
    public func exemplar(of portrait: Portrait) async throws -> Exemplar {
        Exemplar(portrait: portrait, features: try await engine.encode(exemplar: portrait.crop.unit).value)
    }

    /// A gallery with one more exemplar; a photo that is there already changes nothing.
    ///
    /// - Throws: `GalleryError` where the gallery is another network's.
    public nonisolated func adding(_ exemplar: Exemplar, to gallery: Gallery) throws -> Gallery {
        let section = try engine.manifest.check(gallery)
        let packed = try gallery.sections[section].pack(exemplar.features)
        let portrait = exemplar.portrait
        return gallery.adding(
            gallery.entry(section: section, features: packed, descriptor: portrait.descriptor, label: portrait.label))
    }
}
