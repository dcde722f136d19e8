import Foundation

extension Manifest {
    private static let format = "edgesr-bundle"
    private static let version = 1
    private static let mostBytes = 16 << 20
    private static let mostFiles = 1000
    private static let mostSlots = 64
    private static let mostText = 1000
    private static let dtypes = ["float32", "float16", "int8", "uint8", "int32"]

    private typealias Shapes = [String: [String: [Int]]]

    /// - Throws: ``BundleError`` where `content` describes no bundle that can be used.
    public init(_ content: Data) throws {
        guard content.count <= Self.mostBytes else { throw BundleError("manifest.json has \(content.count) bytes") }
        let fields: Json
        do {
            fields = try Json.parse(content)
        } catch {
            throw BundleError("manifest.json cannot be read: \(error)")
        }
        guard fields["format"]?.text == Self.format else { throw BundleError("this is no edgesr bundle") }
        guard fields["format_version"]?.integer == Self.version else {
            throw BundleError(
                "the bundle has format version \(shown(fields["format_version"]))", hint: "this app reads version \(Self.version)")
        }
        let model = fields["model"]
        let scale = try Self.whole(model, "scale", 2...16)
        guard Rules.Gallery.scales.contains(scale) else { throw Self.lacks("scale", model?["scale"]) }
        let lrSize = try Self.whole(model, "lr_size", Rules.Gallery.leastLr...Rules.Gallery.mostLr)
        slots = try Self.whole(model, "slots", 1...Self.mostSlots)
        section = try Self.section(
            fields["features"], featureSpace: try Self.text(fields, "feature_space"), scale: scale, lrSize: lrSize)
        let sha256 = try Self.texts(fields, "sha256") { isInside($0) && isSha256($1) }
        files = try Self.texts(fields, "files") { isInside($1) }
        for (role, file) in files where !sha256.keys.contains(where: { $0 == file || $0.hasPrefix(file + "/") }) {
            throw Self.lacks("hash for \(role)", .string(file))
        }
        self.sha256 = sha256
        name = try Self.text(fields, "name")
        target = try Self.text(fields, "target")
        precision = try Self.text(fields, "precision")
        checkpointSha256 = try Self.text(fields, "checkpoint_sha256")
        tensors = try Self.tensors(fields["tensors"], of: section, slots: slots)
        for (graph, side) in [(Graph.encode, Side.outputs), (.restore, .inputs)] {
            for name in kept where !tensors(graph, side).contains(where: { $0.name == name }) {
                throw Self.lacks("\(side) of \(graph): \(name)", nil)
            }
        }
    }

    private static func lacks(_ what: String, _ value: Json?) -> BundleError {
        BundleError("manifest.json has no proper \(what): it is \(shown(value))")
    }

    private static func text(_ fields: Json?, _ key: String) throws -> String {
        guard let text = fields?[key]?.text, text.utf8.count <= mostText, isLine(text) else { throw lacks(key, fields?[key]) }
        return text
    }

    private static func whole(_ fields: Json?, _ key: String, _ range: ClosedRange<Int>) throws -> Int {
        guard let number = fields?[key]?.integer, range.contains(number) else { throw lacks(key, fields?[key]) }
        return number
    }

    private static func texts(_ fields: Json, _ key: String, _ good: (String, String) -> Bool) throws -> [String: String] {
        guard let members = fields[key]?.members, members.count <= mostFiles else { throw lacks(key, fields[key]) }
        return try members.reduce(into: [:]) { texts, member in
            guard let text = member.value.text, good(member.key, text) else {
                throw lacks("\(key) of \(member.key.prefix(60))", member.value)
            }
            texts[member.key] = text
        }
    }

    /// What the features are; bundles that say nothing of maps are of networks of one map of the LR face's size.
    private static func section(_ features: Json?, featureSpace: String, scale: Int, lrSize: Int) throws -> Section {
        let (parts, steps) = try parts(features)
        do {
            let one = (maps: [FeatureMap(name: Self.features, size: lrSize, parts: parts)], codes: [Code]())
            let (maps, codes) = try features?["maps"] == nil ? one : GalleryHeader.kept(features ?? .null)
            let section = Section(
                featureSpace: featureSpace, scale: scale, lrSize: lrSize, maps: maps, codes: codes, half: steps == nil, steps: steps)
            try GalleryHeader.check(section)
            guard section.parts == parts else { throw lacks("maps", features?["maps"]) }
            return section
        } catch let error as GalleryError {
            throw BundleError("manifest.json has no proper features: \(error)")
        }
    }

    private static func parts(_ features: Json?) throws -> ([FeaturePart], [Float]?) {
        guard let listed = features?["parts"]?.items, (1...Rules.Gallery.mostParts).contains(listed.count) else {
            throw lacks("features", features)
        }
        var parts: [FeaturePart] = [], steps: [Float] = []
        for one in listed {
            parts.append(
                FeaturePart(name: try text(one, "name"), channels: try whole(one, "channels", 1...Rules.Gallery.mostChannels)))
            guard let step = one["int8_scale"], step != .null else { continue }
            guard let number = step.double, isStep(Float(number)) else { throw lacks("int8_scale", step) }
            steps.append(Float(number))
        }
        return (parts, steps.count == parts.count ? steps : nil)
    }

    /// Every tensor that is described has the shape that the network's configuration asks for.
    private static func tensors(
        _ described: Json?, of section: Section, slots: Int
    ) throws -> [Graph: [Side: [TensorSpec]]] {
        let low = section.lrSize, high = section.lrSize * section.scale
        func image(_ side: Int) -> [String: [Int]] { ["NCHW": [1, 3, side, side], "NHWC": [1, side, side, 3]] }
        var result: [Graph: [Side: [TensorSpec]]] = [:]
        for graph in Graph.allCases {
            let n = graph == .encode ? 1 : slots
            var shapes: Shapes = [
                "exemplar": image(high), "lr": image(low), "sr": image(high), "valid": ["N": [slots]],
                "weights": ["NHW": [slots, low, low]],
            ]
            for (name, kept) in zip(names(of: section), section.tensors.map(\.tensor.shape)) {
                shapes[name] =
                    kept.count == 1
                    ? ["NC": [n, kept[0]]] : ["NCHW": [n, kept[2], kept[0], kept[1]], "NHWC": [n, kept[0], kept[1], kept[2]]]
            }
            for side in Side.allCases {
                let listed = described?[graph.rawValue]?[side.rawValue]
                guard let items = listed?.items else { throw lacks("\(side) of \(graph)", listed) }
                result[graph, default: [:]][side] = try items.map { try tensor($0, shapes) }
            }
        }
        return result
    }

    private static func tensor(_ one: Json, _ shapes: Shapes) throws -> TensorSpec {
        let name = try text(one, "name"), layout = try text(one, "layout")
        let fileName = one["file_name"] == nil ? name : try text(one, "file_name")
        let dtype = one["dtype"] == nil ? "float32" : try text(one, "dtype")
        guard let shape = shapes[name]?[layout], one["shape"]?.items?.map({ $0.integer }) == shape, dtypes.contains(dtype) else {
            throw lacks("tensor \(name)", one)
        }
        return TensorSpec(name: name, fileName: fileName, shape: shape, layout: layout, dtype: dtype)
    }
}

/// A path inside the bundle: no way out of its folder.
private func isInside(_ path: String) -> Bool {
    let allowed = { (byte: UInt8) in
        (48...57).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || [45, 46, 95].contains(byte)
    }
    return path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { name in
        !name.isEmpty && name != "." && name != ".." && name.utf8.allSatisfy(allowed)
    }
}
