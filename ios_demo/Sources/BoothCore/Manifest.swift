import Foundation

/// A bundle's `manifest.json`: which network it is and how to feed it.
public struct Manifest: Equatable, Sendable {
    public enum Graph: String, CaseIterable, Sendable {
        case encode
        case restore
    }

    public enum Side: String, CaseIterable, Sendable {
        case inputs
        case outputs
    }

    /// An input or output of a graph as the artifact has it.
    public struct TensorSpec: Equatable, Sendable {
        /// Ours: exemplar, features, lr, valid, sr, weights.
        public let name: String
        /// The artifact's own name for it.
        public let fileName: String
        public let shape: [Int]
        /// Order of the axes: NCHW, NHWC, N or NHW.
        public let layout: String
        public let dtype: String
    }

    public let name: String
    /// What it was converted for: coreml, tflite, onnx, web, ...
    public let target: String
    /// fp32, fp16 or int8.
    public let precision: String
    public let scale: Int
    public let lrSize: Int
    /// Most exemplars of one restoration.
    public let slots: Int
    public let featureSpace: String
    public let parts: [FeaturePart]
    /// int8 steps of the stored features; nil where the network came without, then galleries are fp16.
    public let steps: [Float]?
    /// File or folder of each role.
    public let files: [String: String]
    /// Of every file in the bundle, 64 lower-case hex digits.
    public let sha256: [String: String]
    public let checkpointSha256: String
    let tensors: [Graph: [Side: [TensorSpec]]]

    public var hrSize: Int { lrSize * scale }
    public var channels: Int { parts.reduce(0) { $0 + $1.channels } }

    /// Inputs or outputs of a graph, in the graph's order.
    public func tensors(_ graph: Graph, _ side: Side) -> [TensorSpec] { tensors[graph]?[side] ?? [] }

    /// The file or folder of a role.
    ///
    /// - Throws: ``BundleError`` where there is none.
    public func file(_ role: String) throws -> String {
        guard let file = files[role] else { throw BundleError("the bundle has no \(role) file") }
        return file
    }

    /// The files of a role, by their paths in the bundle: several where it is a folder.
    ///
    /// - Throws: ``BundleError`` where there are none.
    public func paths(_ role: String) throws -> [String] {
        let file = try file(role)
        return sha256.keys.filter { $0 == file || $0.hasPrefix(file + "/") }.sorted()
    }

    /// Check the bytes of a file of the bundle.
    ///
    /// - Throws: ``BundleError`` where they are not what was converted.
    public func check(_ file: String, _ content: Data) throws {
        guard let expected = sha256[file] else { throw BundleError("the bundle has no hash for \(file)") }
        guard content.withUnsafeBytes(Sha256.hex) == expected else {
            throw BundleError("\(file) is not the file that was converted", hint: "it is damaged: install the app again")
        }
    }

    /// What this network's features are in a gallery.
    public var section: Section {
        Section(
            featureSpace: featureSpace, scale: scale, lrSize: lrSize,
            maps: [FeatureMap(name: "features", size: lrSize, parts: parts)], half: steps == nil, steps: steps)
    }

    /// An empty gallery of this network's features.
    public var emptyGallery: Gallery { Gallery(sections: [section]) }

    /// The section of a gallery that holds this network's features.
    ///
    /// - Throws: ``GalleryError`` where there is none, or its features or descriptors mean something else here.
    public func check(_ gallery: Gallery) throws -> Int {
        let again = "build the gallery again with this network"
        guard let found = gallery.index(of: section) else {
            throw GalleryError("the gallery was made with another network", hint: again)
        }
        let theirs = gallery.sections[found]
        guard theirs.maps == section.maps, theirs.codes == section.codes else {
            throw GalleryError("the gallery's features have other parts than this network's", hint: again)
        }
        if let other = theirs.steps, other != steps {
            throw GalleryError(
                "the gallery's int8 steps are \(other), and this network's \(steps.map { "\($0)" } ?? "none")",
                hint: "the gallery is damaged: build it again")
        }
        guard gallery.entries.allSatisfy({ $0.descriptor.count == Descriptor.size }) else {
            throw GalleryError("the gallery's descriptors are of another version")
        }
        return found
    }
}

/// SHA-256 of a file's bytes, 64 lower-case hex digits: how galleries know photos.
public func sha256(of content: Data) -> String { content.withUnsafeBytes(Sha256.hex) }
