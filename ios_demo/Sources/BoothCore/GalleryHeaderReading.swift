/// From a header's bytes, without their length before them.
extension GalleryHeader {
    private static let required = ["format", "format_version", "content_sha256", "sections", "entries"]
    private static let known = Set(required + ["embedder", "extensions"])
    private static let ofSection = Set(["feature_space", "scale", "lr_size", "dtype", "maps", "codes", "entries"])

    /// The header from its bytes, where ``isCurrent(_:)``.
    ///
    /// - Throws: ``GalleryError`` where it breaks the format.
    init(_ written: [UInt8]) throws {
        let fields = try Self.parsed(written, "header")
        guard let metadata = fields["__metadata__"] else { throw GalleryError("it is no edgesr gallery") }
        let texts = try Self.texts(metadata, "header")
        for key in texts.keys where !Self.known.contains(key) { throw GalleryError("its header has a strange field \(key.prefix(80))") }
        for key in Self.required where texts[key] == nil { throw GalleryError("its header has no \(key)") }
        func inner(_ key: String) throws -> Json { try Self.parsed((texts[key] ?? "").utf8, key) }
        guard let listed = try inner("sections").items else { throw GalleryError("its sections are no list") }
        let pairs = try listed.map(Self.section)
        self.init(
            sections: pairs.map(\.0),
            rows: pairs.map(\.1),
            embedder: texts["embedder"],
            labels: try Self.labels(inner("entries")),
            descriptorSize: try Self.columns(fields, "descriptors"),
            embeddingSize: texts["embedder"] == nil ? 0 : try Self.columns(fields, "embeddings"),
            extensions: texts["extensions"] == nil ? [:] : try Self.texts(inner("extensions"), "extensions"),
            contentSha256: texts["content_sha256"]
        )
        let again = try encode()
        // What a writer would not write is not read: no key, space or number too many.
        guard Self.withoutHash(written) == again else { throw GalleryError("its header is not written as the format says") }
    }

    static func parsed(_ bytes: some Sequence<UInt8>, _ what: String) throws -> Json {
        do {
            return try Json.parse(bytes, wholeOnly: true)
        } catch {
            throw GalleryError("its \(what) cannot be read: \(error)")
        }
    }

    /// The entries' labels.
    ///
    /// - Throws: ``GalleryError`` where one has other keys, or values of other types.
    static func labels(_ listed: Json) throws -> [Label] {
        guard let items = listed.items, items.count <= Rules.Gallery.mostEntries else {
            throw GalleryError("its entries are no list of at most \(Rules.Gallery.mostEntries)")
        }
        return try items.map { one in
            guard let members = one.members, let hash = one["photo_sha256"]?.text, members.count == (one["name"] == nil ? 3 : 4)
            else { throw GalleryError("an entry is \(shown(one))") }
            if let name = one["name"], name.text == nil { throw GalleryError("an entry's name is \(shown(name))") }
            return Label(
                photoSha256: hash, quality: try measures(one["quality"]), pose: try measures(one["pose"]), name: one["name"]?.text)
        }
    }

    private static func measures(_ listed: Json?) throws -> [String: Int] {
        guard let members = listed?.members else { throw GalleryError("an entry's measures are \(shown(listed))") }
        return try members.reduce(into: [:]) { measures, member in
            guard let value = member.value.integer else { throw GalleryError("an entry's measure is \(shown(member.value))") }
            measures[member.key] = value
        }
    }

    private static func texts(_ fields: Json, _ what: String) throws -> [String: String] {
        guard let members = fields.members else { throw GalleryError("its \(what) are no object") }
        return try members.reduce(into: [:]) { texts, member in
            guard let text = member.value.text else { throw GalleryError("its \(what) have a strange field \(member.key.prefix(80))") }
            texts[member.key] = text
        }
    }

    /// Reads what values of an object should hold.
    private struct Reader {
        let one: Json

        func no() -> GalleryError { GalleryError("a section is \(shown(one))") }

        func number(_ value: Json?) throws -> Int {
            guard let number = value?.integer, (0...Rules.Gallery.mostData).contains(number) else { throw no() }
            return number
        }

        func name(_ value: Json?) throws -> String {
            guard let text = value?.text else { throw no() }
            return text
        }

        func list(_ value: Json?, _ count: Int? = nil) throws -> [Json] {
            guard let items = value?.items, count == nil || items.count == count else { throw no() }
            return items
        }
    }

    /// `maps` and `codes` of an object, as sections and manifests have them.
    static func kept(_ one: Json) throws -> (maps: [FeatureMap], codes: [Code]) {
        let read = Reader(one: one)
        let maps = try read.list(one["maps"]).map { each in
            let fields = try read.list(each, 3)
            let parts = try read.list(fields[2]).map { part in
                let pair = try read.list(part, 2)
                return FeaturePart(name: try read.name(pair[0]), channels: try read.number(pair[1]))
            }
            guard (1...Rules.Gallery.mostParts).contains(parts.count) else { throw read.no() }
            return FeatureMap(name: try read.name(fields[0]), size: try read.number(fields[1]), parts: parts)
        }
        let codes = try read.list(one["codes"]).map { each in
            let pair = try read.list(each, 2)
            return Code(name: try read.name(pair[0]), length: try read.number(pair[1]))
        }
        return (maps, codes)
    }

    private static func section(_ one: Json) throws -> (Section, [Int]) {
        let read = Reader(one: one), dtype = one["dtype"]?.text
        guard Set((one.members ?? []).map(\.key)) == ofSection, dtype == "int8" || dtype == "fp16" else { throw read.no() }
        let (maps, codes) = try kept(one)
        let section = Section(
            featureSpace: try read.name(one["feature_space"]), scale: try read.number(one["scale"]),
            lrSize: try read.number(one["lr_size"]), maps: maps, codes: codes, half: dtype == "fp16", steps: nil)
        return (section, try read.list(one["entries"]).map(read.number))
    }

    private static func columns(_ fields: Json, _ name: String) throws -> Int {
        guard let shape = fields[name]?["shape"]?.items, shape.count == 2, let columns = shape[1].integer else {
            throw GalleryError("its tensor \(name) is \(shown(fields[name]))")
        }
        return columns
    }
}
