/// The header of version 1, which had one network's features; it is read, and written no more.
extension GalleryHeader {
    private static let map = "features"
    private static let order = ["descriptors", "embeddings", "scales", map]
    private static let oldFields = ["format", "format_version", "feature_space", "scale", "lr_size", "feature_parts", "entries"]

    /// The header of this version that holds the same; its tensors lie in the same order.
    ///
    /// - Throws: ``GalleryError`` where the bytes are not such a header.
    init(old written: [UInt8]) throws {
        let fields = try Self.parsed(written, "header")
        guard let metadata = fields["__metadata__"], let listed = metadata.members,
            metadata["format"]?.text == Rules.Gallery.format
        else { throw GalleryError("it is no edgesr gallery") }
        let version = metadata["format_version"]
        guard version?.text != Self.version else { throw GalleryError("its header is not written as the format says") }
        guard version?.text == "1" else {
            throw GalleryError("it has format version \(shown(version))", hint: "update the app")
        }
        for member in listed where member.value.text == nil || !(Self.oldFields + ["embedder"]).contains(member.key) {
            throw GalleryError("its header has a strange field \(member.key.prefix(80))")
        }
        func text(_ key: String) throws -> String {
            guard let text = metadata[key]?.text else { throw GalleryError("its header has no \(key)") }
            return text
        }
        let lrSize = try Self.number(text("lr_size"), "lr_size")
        let labels = try Self.labels(Self.parsed(text("entries").utf8, "entries"))
        let given = try Self.tensors(fields)
        guard let dtype = given[Self.map]?.dtype, dtype != .f32 else {
            throw GalleryError("it has no features of dtype I8 or F16")
        }
        let parts = try Self.parts(Self.parsed(text("feature_parts").utf8, "feature_parts"))
        let section = Section(
            featureSpace: try text("feature_space"), scale: try Self.number(text("scale"), "scale"), lrSize: lrSize,
            maps: [FeatureMap(name: Self.map, size: lrSize, parts: parts)], half: dtype == .f16, steps: nil)
        func columns(_ name: String) -> Int {
            guard let shape = given[name]?.shape, shape.count == 2 else { return 0 }
            return shape[1]
        }
        self.init(
            sections: [section], rows: [Array(labels.indices)], embedder: metadata["embedder"]?.text, labels: labels,
            descriptorSize: columns("descriptors"), embeddingSize: columns("embeddings"), extensions: [:], contentSha256: nil)
        try check()
        let expected = tensors.map { one in (one.name.hasPrefix("0.") ? String(one.name.dropFirst(2)) : one.name, one.tensor) }
        guard expected.count == given.count, expected.allSatisfy({ given[$0] == $1 }) else {
            throw GalleryError("its tensors are \(given.keys.sorted()), with other shapes than its header says")
        }
    }

    /// Digits without a zero before them, nine at most.
    private static func number(_ text: String, _ what: String) throws -> Int {
        guard text.utf8.count <= 9, let number = Int(text), number >= 0, String(number) == text else {
            throw GalleryError("its \(what) is \(text.prefix(80))")
        }
        return number
    }

    private static func parts(_ listed: Json) throws -> [FeaturePart] {
        guard let items = listed.items, (1...Rules.Gallery.mostParts).contains(items.count) else {
            throw GalleryError("its feature_parts are no list of 1 to \(Rules.Gallery.mostParts)")
        }
        return try items.map { one in
            guard let pair = one.items, pair.count == 2, let name = pair[0].text, let channels = pair[1].integer,
                (1...Rules.Gallery.mostChannels).contains(channels)
            else { throw GalleryError("a feature part is \(shown(one))") }
            return FeaturePart(name: name, channels: channels)
        }
    }

    private static func tensors(_ fields: Json) throws -> [String: Tensor] {
        for member in fields.members ?? [] where member.key != "__metadata__" && !order.contains(member.key) {
            throw GalleryError("it has an unknown tensor \(member.key.prefix(80))")
        }
        var result: [String: Tensor] = [:]
        var at = 0
        for name in order {
            guard let tensor = fields[name] else { continue }
            guard Set((tensor.members ?? []).map(\.key)) == ["dtype", "shape", "data_offsets"],
                let dtype = DType(rawValue: tensor["dtype"]?.text ?? ""), let shape = tensor["shape"]?.items?.map({ $0.integer ?? -1 }),
                shape.count <= 4, shape.allSatisfy({ (0...Rules.Gallery.mostData).contains($0) })
            else { throw GalleryError("its tensor \(name) is \(shown(tensor))") }
            let described = Tensor(dtype: dtype, shape: shape)
            let end = at + described.bytes
            guard tensor["data_offsets"]?.items?.map({ $0.integer }) == [at, end] else {
                throw GalleryError("its tensor \(name) lies at \(shown(tensor["data_offsets"]))")
            }
            result[name] = described
            at = end
        }
        return result
    }
}
