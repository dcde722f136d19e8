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
        /// Ours: exemplar, features (of several maps and codes features_NAME each), lr, valid, sr, weights.
        public let name: String
        /// The artifact's own name for it.
        public let fileName: String
        public let shape: [Int]
        /// Order of the axes: NCHW, NHWC, N, NC or NHW.
        public let layout: String
        public let dtype: String

        /// Numbers of the tensor.
        public var count: Int { shape.reduce(1, *) }
    }

    public let name: String
    /// What it was converted for: coreml, tflite, onnx, web, ...
    public let target: String
    /// fp32, fp16 or int8.
    public let precision: String
    /// Most exemplars of one restoration.
    public let slots: Int
    /// What this network's features are in a gallery; fp16 where the network came without int8 steps.
    public let section: Section
    /// File or folder of each role.
    public let files: [String: String]
    /// Of every file in the bundle, 64 lower-case hex digits.
    public let sha256: [String: String]
    public let checkpointSha256: String
    let tensors: [Graph: [Side: [TensorSpec]]]

    public var scale: Int { section.scale }
    public var lrSize: Int { section.lrSize }
    public var hrSize: Int { lrSize * scale }
    public var featureSpace: String { section.featureSpace }

    /// The graphs' tensors of what is kept of an exemplar, in order: of its one map, or of each map and code.
    public var kept: [String] { Self.names(of: section) }

    static func names(of section: Section) -> [String] {
        let names = section.maps.map(\.name) + section.codes.map(\.name)
        return names.count == 1 ? [features] : names.map { "\(features)_\($0)" }
    }

    static let features = "features"

    /// What the restorer takes of exemplars, each as `Gallery.floats` gives it: of each map and code [slots, ...], zeros in
    /// the slots behind them.
    public func slotted(_ exemplars: [[[Float]]]) -> [[Float]] {
        section.counts.enumerated().map { which, count in
            let given = exemplars.prefix(slots).flatMap { $0[which] }
            return given + [Float](repeating: 0, count: count * slots - given.count)
        }
    }

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
        if let other = gallery.sections[found].differs(from: section) {
            throw GalleryError("the gallery \(other) as the network \(name) has", hint: again)
        }
        guard gallery.entries.allSatisfy({ $0.descriptor.count == Descriptor.size }) else {
            throw GalleryError("the gallery's descriptors are of another version")
        }
        return found
    }
}

/// SHA-256 of a file's bytes, 64 lower-case hex digits: how galleries know photos.
public func sha256(of content: Data) -> String { content.withUnsafeBytes(Sha256.hex) }
