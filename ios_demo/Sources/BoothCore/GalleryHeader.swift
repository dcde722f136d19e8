/// What a gallery's header says of one photo; measures are kept in whole thousandths, as they are stored.
public struct Label: Equatable, Sendable {
    /// SHA-256 of the photo's file, 64 lower-case hex digits: the entry's identity.
    public let photoSha256: String
    public let quality: [String: Int]
    public let pose: [String: Int]
    /// The photo's file name, where the user asked for it.
    public let name: String?

    public init(photoSha256: String, quality: [String: Int], pose: [String: Int], name: String? = nil) {
        self.photoSha256 = photoSha256
        self.quality = quality
        self.pose = pose
        self.name = name
    }

    /// The label of a photo that was judged; `name` only where the user asked for it.
    ///
    /// - Throws: ``GalleryError`` where a measure is not finite or beyond a million.
    public init(photoSha256: String, quality: Quality, name: String? = nil) throws {
        self.init(
            photoSha256: photoSha256,
            quality: try [
                "exposure": Self.thousandths(quality.exposure), "sharpness": Self.thousandths(quality.sharpness),
                "size_px": Self.thousandths(quality.sizePx),
            ],
            pose: try [
                "pitch_deg": Self.thousandths(quality.pitchDeg), "roll_deg": Self.thousandths(quality.rollDeg),
                "yaw_deg": Self.thousandths(quality.yawDeg),
            ],
            name: name
        )
    }

    /// A measure as it is stored: times 1000, rounded half to even.
    public static func thousandths(_ value: Double) throws -> Int {
        guard value.magnitude * 1000 <= Double(Rules.Gallery.mostThousandths) else {
            throw GalleryError("a measure is \(value)", hint: "measures are numbers between -1,000,000 and 1,000,000")
        }
        return Int((value * 1000).rounded(.toNearestOrEven))
    }
}

/// A gallery without its numbers (`docs/gallery-format.md`).
struct GalleryHeader {
    /// Without their steps, which are numbers.
    let sections: [Section]
    /// Of each section the entries that it has features of, ascending.
    let rows: [[Int]]
    let embedder: String?
    let labels: [Label]
    let descriptorSize: Int
    let embeddingSize: Int
    let extensions: [String: String]
    /// As it was read; nil in version 1.
    let contentSha256: String?

    static let steps = Rules.Gallery.steps
    static let version = String(Rules.Gallery.formatVersion)
    private static let zeros = String(repeating: "0", count: 64)
    private static let beginning = Array(
        """
        {"__metadata__":{"format":"\(Rules.Gallery.format)","format_version":"\(version)","content_sha256":"
        """.utf8)

    /// Where the digits of the content's hash lie in a header.
    static let hashAt = beginning.count

    /// What follows the header, in the file's order. Its lengths have been checked.
    var tensors: [NamedTensor] {
        var result = [NamedTensor("descriptors", .f32, [labels.count, descriptorSize])]
        if embedder != nil { result.append(NamedTensor("embeddings", .f32, [labels.count, embeddingSize])) }
        for (i, section) in sections.enumerated() {
            if !section.half { result.append(NamedTensor("\(i).\(Self.steps)", .f32, [section.parts.count])) }
            for one in section.tensors {
                result.append(NamedTensor("\(i).\(one.name)", one.tensor.dtype, [rows[i].count] + one.tensor.shape))
            }
        }
        return result
    }

    /// Bytes that follow the header.
    var dataSize: Int { tensors.reduce(0) { $0 + $1.tensor.bytes } }

    /// The header's bytes, zeros in place of the content's hash, filled up to a multiple of 8.
    ///
    /// - Throws: ``GalleryError`` where a limit of the format is broken.
    func encode() throws -> [UInt8] {
        try check()
        var metadata: [Json.Member] = [
            .init("format", .string(Rules.Gallery.format)), .init("format_version", .string(Self.version)),
            .init("content_sha256", .string(Self.zeros)),
        ]
        if let embedder { metadata.append(.init("embedder", .string(embedder))) }
        let listed = zip(sections, rows).map { Self.json($0, $1) }
        metadata.append(.init("sections", .string(Json.list(listed).compact)))
        metadata.append(.init("entries", .string(Json.list(labels.map(Self.json)).compact)))
        if !extensions.isEmpty {
            let members = extensions.map { Json.Member($0, .string($1)) }
            metadata.append(.init("extensions", .string(Json.object(members.sortedByKey()).compact)))
        }
        var fields: [Json.Member] = [.init("__metadata__", .object(metadata))]
        var at = 0
        for one in tensors {
            let end = at + one.tensor.bytes
            let described: [Json.Member] = [
                .init("dtype", .string(one.tensor.dtype.rawValue)), .init("shape", Self.json(one.tensor.shape)),
                .init("data_offsets", Self.json([at, end])),
            ]
            fields.append(.init(one.name, .object(described)))
            at = end
        }
        var written = Array(Json.object(fields).compact.utf8)
        written.append(contentsOf: repeatElement(32, count: (8 - written.count % 8) % 8))
        guard written.count <= Rules.Gallery.mostHeader else {
            throw GalleryError("its header has \(written.count) bytes", hint: "use fewer photos, or shorter names")
        }
        return written
    }

    /// A header with zeros in place of its hash: what the hash is computed over.
    static func withoutHash(_ written: [UInt8]) -> [UInt8] {
        var result = written
        for i in hashAt..<hashAt + 64 { result[i] = UInt8(ascii: "0") }
        return result
    }

    /// Whether a header's bytes begin as this version's do, whatever else they are.
    static func isCurrent(_ written: [UInt8]) -> Bool {
        written.count >= hashAt + 64 && written.starts(with: beginning)
    }

    private static func json(_ section: Section, _ rows: [Int]) -> Json {
        let maps: [Json] = section.maps.map { map in
            let parts: [Json] = map.parts.map { .list([.string($0.name), .whole(Int64($0.channels))]) }
            return .list([.string(map.name), .whole(Int64(map.size)), .list(parts)])
        }
        let codes: [Json] = section.codes.map { .list([.string($0.name), .whole(Int64($0.length))]) }
        return .object([
            .init("feature_space", .string(section.featureSpace)), .init("scale", .whole(Int64(section.scale))),
            .init("lr_size", .whole(Int64(section.lrSize))), .init("dtype", .string(section.half ? "fp16" : "int8")),
            .init("maps", .list(maps)), .init("codes", .list(codes)), .init("entries", json(rows)),
        ])
    }

    private static func json(_ label: Label) -> Json {
        func measures(_ values: [String: Int]) -> Json {
            .object(values.map { Json.Member($0, .whole(Int64($1))) }.sortedByKey())
        }
        var fields: [Json.Member] = [
            .init("photo_sha256", .string(label.photoSha256)), .init("quality", measures(label.quality)),
            .init("pose", measures(label.pose)),
        ]
        if let name = label.name { fields.append(.init("name", .string(name))) }
        return .object(fields)
    }

    private static func json(_ numbers: [Int]) -> Json { .list(numbers.map { .whole(Int64($0)) }) }
}
